/* SPDX-License-Identifier: MIT */
/* Functions that libremuda exports for libremuda-net of the same version, and for nobody else: a
 * second copy of them in there would have its own thread-local error. They stand in the node
 * REMUDA_PRIVATE of src/remuda.map, as the C library's own do in GLIBC_PRIVATE. */
#ifndef RMDI_PORT_SHARED_H
#define RMDI_PORT_SHARED_H

#define RMDI_SHARED __attribute__((visibility("default")))

#endif
