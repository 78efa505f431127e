/* SPDX-License-Identifier: MIT */
/* Remuda: worker pools for C programs. All of libremuda, for users and examples. */
#ifndef REMUDA_H
#define REMUDA_H

#include <remuda/alloc.h>
#include <remuda/api.h>
#include <remuda/args.h>
#include <remuda/barrier.h>
#include <remuda/bytes.h>
#include <remuda/call.h>
#include <remuda/census.h>
#include <remuda/command.h>
#include <remuda/completions.h>
#include <remuda/condition.h>
#include <remuda/context.h>
#include <remuda/deadline.h>
#include <remuda/descriptor.h>
#include <remuda/error.h>
#include <remuda/event.h>
#include <remuda/executor.h>
#include <remuda/foreign.h>
#include <remuda/frame.h>
#include <remuda/framed.h>
#include <remuda/function.h>
#include <remuda/future.h>
#include <remuda/group.h>
#include <remuda/guard.h>
#include <remuda/limits.h>
#include <remuda/local.h>
#include <remuda/lock.h>
#include <remuda/loop.h>
#include <remuda/map.h>
#include <remuda/once.h>
#include <remuda/place.h>
#include <remuda/plugin.h>
#include <remuda/pool.h>
#include <remuda/promise.h>
#include <remuda/queue.h>
#include <remuda/recorder.h>
#include <remuda/rwlock.h>
#include <remuda/select.h>
#include <remuda/semaphore.h>
#include <remuda/shared.h>
#include <remuda/signals.h>
#include <remuda/start.h>
#include <remuda/stop.h>
#include <remuda/task.h>
#include <remuda/thread.h>
#include <remuda/value.h>
#include <remuda/version.h>

#ifdef RMD_EXPLORE
#include <remuda/explore_calls.h>
#endif

#endif
