/* SPDX-License-Identifier: MIT */
/* floor: explore */
/* For explored programs: calls of Remuda that may wait, or end a wait, are shown with their place
 * in the program's source. <remuda.h> includes this at its end when it is compiled with
 * -DRMD_EXPLORE; the functions are the same. */
#ifndef REMUDA_EXPLORE_CALLS_H
#define REMUDA_EXPLORE_CALLS_H

#include <remuda/atomics.h>

#ifdef RMD_EXPLORE

/* The calling thread is in the call at the site; NULL: in none. */
void rmdi_explore_call(rmdi_site *site);

#define RMDI_CALL(call, text)                   \
    __extension__({                             \
        rmdi_explore_call(RMDI_SITE("", text)); \
        __auto_type rmdi_result_ = (call);      \
        rmdi_explore_call(NULL);                \
        rmdi_result_;                           \
    })

#define rmd_lock_acquire(lock, deadline) \
    RMDI_CALL((rmd_lock_acquire)(lock, deadline), "rmd_lock_acquire(" #lock ")")
#define rmd_lock_release(lock) RMDI_CALL((rmd_lock_release)(lock), "rmd_lock_release(" #lock ")")
#define rmdi_with_lock(lock, deadline, error, place) \
    RMDI_CALL((rmdi_with_lock)(lock, deadline, error, place), "RMD_WITH_LOCK(" #lock ")")
#define rmdi_with_guard(guard, deadline, error, place) \
    RMDI_CALL((rmdi_with_guard)(guard, deadline, error, place), "RMD_WITH_GUARD(" #guard ")")
#define rmd_guard_acquire(guard, data, deadline) \
    RMDI_CALL((rmd_guard_acquire)(guard, data, deadline), "rmd_guard_acquire(" #guard ")")
#define rmd_guard_release(guard) \
    RMDI_CALL((rmd_guard_release)(guard), "rmd_guard_release(" #guard ")")
#define rmd_condition_wait(condition, deadline) \
    RMDI_CALL((rmd_condition_wait)(condition, deadline), "rmd_condition_wait(" #condition ")")
#define rmd_condition_notify_one(condition) \
    RMDI_CALL((rmd_condition_notify_one)(condition), "rmd_condition_notify_one(" #condition ")")
#define rmd_condition_notify_all(condition) \
    RMDI_CALL((rmd_condition_notify_all)(condition), "rmd_condition_notify_all(" #condition ")")
#define rmd_event_wait(event, deadline) \
    RMDI_CALL((rmd_event_wait)(event, deadline), "rmd_event_wait(" #event ")")
#define rmd_event_set(event)   RMDI_CALL((rmd_event_set)(event), "rmd_event_set(" #event ")")
#define rmd_event_clear(event) RMDI_CALL((rmd_event_clear)(event), "rmd_event_clear(" #event ")")
#define rmd_barrier_wait(barrier, deadline) \
    RMDI_CALL((rmd_barrier_wait)(barrier, deadline), "rmd_barrier_wait(" #barrier ")")
#define rmd_barrier_close(barrier) \
    RMDI_CALL((rmd_barrier_close)(barrier), "rmd_barrier_close(" #barrier ")")
#define rmd_once_call(once, fn, arg, deadline) \
    RMDI_CALL((rmd_once_call)(once, fn, arg, deadline), "rmd_once_call(" #once ", " #fn ")")
#define rmd_rwlock_acquire_read(lock, deadline) \
    RMDI_CALL((rmd_rwlock_acquire_read)(lock, deadline), "rmd_rwlock_acquire_read(" #lock ")")
#define rmd_rwlock_acquire_write(lock, deadline) \
    RMDI_CALL((rmd_rwlock_acquire_write)(lock, deadline), "rmd_rwlock_acquire_write(" #lock ")")
#define rmd_rwlock_downgrade(lock) \
    RMDI_CALL((rmd_rwlock_downgrade)(lock), "rmd_rwlock_downgrade(" #lock ")")
#define rmd_rwlock_release(lock) \
    RMDI_CALL((rmd_rwlock_release)(lock), "rmd_rwlock_release(" #lock ")")
#define rmdi_with_read(lock, deadline, error) \
    RMDI_CALL((rmdi_with_read)(lock, deadline, error), "RMD_WITH_READ(" #lock ")")
#define rmdi_with_write(lock, deadline, error) \
    RMDI_CALL((rmdi_with_write)(lock, deadline, error), "RMD_WITH_WRITE(" #lock ")")
#define rmd_semaphore_acquire(semaphore, deadline) \
    RMDI_CALL((rmd_semaphore_acquire)(semaphore, deadline), "rmd_semaphore_acquire(" #semaphore ")")
#define rmd_semaphore_acquire_many(semaphore, n, deadline)          \
    RMDI_CALL((rmd_semaphore_acquire_many)(semaphore, n, deadline), \
              "rmd_semaphore_acquire_many(" #semaphore ", " #n ")")
#define rmd_semaphore_release(semaphore, n) \
    RMDI_CALL((rmd_semaphore_release)(semaphore, n), "rmd_semaphore_release(" #semaphore ")")
#define rmd_stop_request(stop) RMDI_CALL((rmd_stop_request)(stop), "rmd_stop_request(" #stop ")")
#define rmd_thread_start(thread, fn, arg, options) \
    RMDI_CALL((rmd_thread_start)(thread, fn, arg, options), "rmd_thread_start(" #thread ")")
#define rmd_threads_join_all(deadline) \
    RMDI_CALL((rmd_threads_join_all)(deadline), "rmd_threads_join_all()")
#define rmd_thread_join(thread, deadline) \
    RMDI_CALL((rmd_thread_join)(thread, deadline), "rmd_thread_join(" #thread ")")
#define rmd_thread_stop(thread) RMDI_CALL((rmd_thread_stop)(thread), "rmd_thread_stop(" #thread ")")
#define rmd_executor_call(executor, fn, arg, result, deadline)          \
    RMDI_CALL((rmd_executor_call)(executor, fn, arg, result, deadline), \
              "rmd_executor_call(" #executor ", " #fn ")")
#define rmd_executor_post(executor, fn, arg, deadline)          \
    RMDI_CALL((rmd_executor_post)(executor, fn, arg, deadline), \
              "rmd_executor_post(" #executor ", " #fn ")")
#define rmd_executor_close(executor) \
    RMDI_CALL((rmd_executor_close)(executor), "rmd_executor_close(" #executor ")")
#define rmd_executor_abort(executor) \
    RMDI_CALL((rmd_executor_abort)(executor), "rmd_executor_abort(" #executor ")")
#define rmd_executor_drain(executor, deadline) \
    RMDI_CALL((rmd_executor_drain)(executor, deadline), "rmd_executor_drain(" #executor ")")
#define rmd_select(what, n, deadline) \
    RMDI_CALL((rmd_select)(what, n, deadline), "rmd_select(" #what ")")
#define rmd_fd_wait(fd, events, deadline) \
    RMDI_CALL((rmd_fd_wait)(fd, events, deadline), "rmd_fd_wait(" #fd ")")

#endif

#endif
