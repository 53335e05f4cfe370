/*
 * Handlers in a shared library of their own, for `orch worker --plugin lib.so` and orch::load_plugin: plain C, so that any compiler and language will do.
 *
 * A plugin defines ORCH_PLUGIN(handlers) once, with an array of orch_plugin_handler. The number of this interface is looked at before anything of the
 * plugin is called: one that was built for another number is refused. Within a number, orch_host only grows at its end; `size` tells how far it goes.
 */
#ifndef ORCH_PLUGIN_H
#define ORCH_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifndef ORCH_PLUGIN_ABI
#define ORCH_PLUGIN_ABI 1
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orch_plugin_task orch_plugin_task; /* one attempt of one task: lives until run returns */

/* What is known of it. Texts are UTF-8, never null, and live until run returns. */
typedef struct orch_plugin_facts {
    uint32_t size;
    int32_t attempt; /* from 1 */
    const char *run_id;
    const char *task_id;
    const char *idempotency_key;   /* the same in every attempt */
    const char *traceparent;       /* may be empty */
    const char *previous_progress; /* JSON that an earlier attempt told last, or null */
} orch_plugin_facts;

/* What the worker does for a handler; called by the thread that runs the task, or under the plugin's own lock. */
typedef struct orch_host {
    uint32_t abi;
    uint32_t size;
    int (*stop_requested)(const orch_plugin_task *task); /* not 0: stop soon, what is returned then may not count */
    double (*seconds_left)(const orch_plugin_task *task); /* until the attempt times out; negative without a timeout */
    void (*log)(orch_plugin_task *task, const char *line);
    int (*progress)(orch_plugin_task *task, const char *json); /* 0, or not 0 for more than 4 KiB or no JSON */
    /* How it ended; the last call counts. A handler that makes none has failed. */
    void (*complete)(orch_plugin_task *task, const char *output_json);
    void (*fail)(orch_plugin_task *task, const char *error_class, const char *code, const char *message);
    void (*skip)(orch_plugin_task *task, const char *reason);
} orch_host;

typedef struct orch_plugin_handler {
    const char *name;    /* definitions say `handler: name` */
    int32_t concurrency; /* tasks at once, 0 = the worker's own number; run is called by several threads */
    void (*run)(void *state, const orch_host *host, orch_plugin_task *task, const orch_plugin_facts *facts, const char *input_json);
    void *state; /* handed to run */
} orch_plugin_handler;

typedef struct orch_plugin {
    uint32_t abi;
    uint32_t size;
    uint32_t handler_size; /* of one element, so that handlers of a plugin and of a newer header are told apart */
    uint32_t handler_count;
    const orch_plugin_handler *handlers;
} orch_plugin;

#if defined(__GNUC__)
#define ORCH_PLUGIN_EXPORT __attribute__((visibility("default")))
#else
#define ORCH_PLUGIN_EXPORT
#endif

#ifdef __cplusplus
#define ORCH_PLUGIN_C extern "C"
}
#else
#define ORCH_PLUGIN_C extern
#endif

#define ORCH_PLUGIN(handler_array)                                                                                                                  \
    ORCH_PLUGIN_C ORCH_PLUGIN_EXPORT const orch_plugin orch_plugin_entry;                                                                               \
    const orch_plugin orch_plugin_entry = {ORCH_PLUGIN_ABI, sizeof(orch_plugin), sizeof(orch_plugin_handler), sizeof(handler_array) / sizeof((handler_array)[0]), handler_array}

#endif
