/*
 * A runtime in C: opens a device, builds a graph of two tasks, runs it with the swimlane on and
 * reads a tensor back. Prints one line a step; ends with the first code that is not what it should be.
 */
#include "lanescope.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EXPECT(code, call)                                                                         \
    do {                                                                                           \
        int32_t got = (call);                                                                      \
        if (got != (code)) {                                                                       \
            printf("%s: %d: %s\n", #call, got, lanescope_last_error());                            \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

int main(int argc, char **argv) {
    if (argc != 4) {
        return 2;
    }
    const char *platform = argv[1], *build = argv[2], *folder = argv[3];
    LanescopeSession session = 0;
    LanescopeGraph graph = 0;
    uint32_t function = 0, mark = 0, first = 0, second = 0;
    EXPECT(LANESCOPE_BAD_ARGUMENT, lanescope_open("a4", 0, build, NULL, &session));
    EXPECT(LANESCOPE_FAILED, lanescope_open(platform, 99, build, NULL, &session));
    printf("%s\n", lanescope_last_error());
    EXPECT(LANESCOPE_OK, lanescope_open(platform, 0, build, "seed=3", &session));

    EXPECT(LANESCOPE_OK, lanescope_graph_new("in C", &graph));
    EXPECT(LANESCOPE_OK, lanescope_graph_kernel(graph, session, "mark", 4, "replay", &function));
    EXPECT(LANESCOPE_OK, lanescope_graph_tensor(graph, "mark", 8, NULL, &mark));
    /* Duration in ticks, the mark, no predecessors. */
    LanescopeArg args[3] = {
        {LANESCOPE_SCALAR, 0, 1000}, {LANESCOPE_TENSOR, mark, 0}, {LANESCOPE_SCALAR, 0, 0}};
    EXPECT(LANESCOPE_OK, lanescope_graph_task(graph, function, 1, args, 3, 70, &first));
    EXPECT(LANESCOPE_OK, lanescope_graph_task(graph, function, 0, args, 3, 71, &second));
    EXPECT(LANESCOPE_OK, lanescope_graph_edge(graph, first, second));

    LanescopeTensorView view;
    memset(&view, 0, sizeof view);
    view.arg_index = 1;
    view.role = LANESCOPE_INOUT;
    view.dtype = 8; /* uint64, rank 0 */
    EXPECT(LANESCOPE_OK, lanescope_graph_describe(graph, second, &view));
    EXPECT(LANESCOPE_OK, lanescope_graph_check(graph));

    LanescopeRunOptions options;
    LanescopeRunResult result;
    memset(&options, 0, sizeof options);
    options.struct_bytes = sizeof options;
    options.level = 2;
    options.pmu_event = 2;
    options.dump = 1;
    options.dump_selection = "task=71,arg=1,stage=now";
    EXPECT(LANESCOPE_BAD_ARGUMENT, lanescope_run(session, graph, &options, &result));
    printf("%s\n", lanescope_last_error());
    options.dump_selection = "task=71,function=mark,arg=1,stage=after";
    options.dump_arena_bytes = 4096;
    options.dump_piece_bytes = 64;
    options.dump_lanes.policy = LANESCOPE_TRUNCATE;
    options.dump_lanes.buffers = 2;
    options.dump_lanes.records_per_buffer = 8;
    options.pmu_lanes.policy = LANESCOPE_DROP_NEWEST;
    options.pmu_lanes.buffers = 4;
    options.pmu_lanes.records_per_buffer = 16;
    options.swimlane_lanes.records_per_buffer = 32;
    options.capture_dir = folder;
    options.memory_budget_bytes = 4096;
    EXPECT(LANESCOPE_FAILED, lanescope_run(session, graph, &options, &result));
    printf("%s\n", lanescope_last_error());
    options.memory_budget_bytes = 0;
    /* Times and counters of two tasks, and a tensor after the second. */
    EXPECT(LANESCOPE_OK, lanescope_run(session, graph, &options, &result));
    if (result.verdict != LANESCOPE_EXACT || result.tasks != 2 || result.collected != 5) {
        printf("verdict %u, %u of %u\n", result.verdict, (unsigned)result.collected,
               (unsigned)result.tasks);
        return 1;
    }
    uint64_t value = 0;
    EXPECT(LANESCOPE_BAD_ARGUMENT, lanescope_read(session, mark, &value, 4));
    EXPECT(LANESCOPE_OK, lanescope_read(session, mark, &value, 8));
    /* Two runs of the kernel in the high half, the depth of each in the low one. */
    if (value != 0x200000001u) {
        printf("mark %#llx\n", (unsigned long long)value);
        return 1;
    }
    EXPECT(LANESCOPE_OK, lanescope_graph_free(graph));
    EXPECT(LANESCOPE_OK, lanescope_close(session));
    EXPECT(LANESCOPE_BAD_ARGUMENT, lanescope_close(session));
    return 0;
}
