/* SPDX-License-Identifier: MIT */
/* Everything in libremuda-net, the part of Remuda that needs other libraries. For programs that use
 * it; needs -lremuda-net -lremuda (pkg-config remuda-net). */
#ifndef REMUDA_NET_H
#define REMUDA_NET_H

#include <remuda.h>
#include <remuda/journal.h>
#include <remuda/net.h>

#endif
