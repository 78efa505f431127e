/* SPDX-License-Identifier: MIT */
/* The inside of plug-ins: see <remuda/plugin.h>. */
#ifndef RMDI_EXEC_PLUGIN_H
#define RMDI_EXEC_PLUGIN_H

#include "exec/carried.h"

#include <remuda/plugin.h>

/* Loads in workers what was loaded in the program. Weak where it is used: a program that loads no
 * plug-ins, and is linked statically, shall not need the dynamic loader. */
extern rmdi_carrier rmdi_plugin_carrier;

#endif
