/* SPDX-License-Identifier: MIT */
#include "base/point.h"

void (*rmdi_point_hook)(const char *name);
