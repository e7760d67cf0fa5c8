// core: aiv
//
// Stands for a task of a recorded run: lasts as long as it did there and marks that it ran.
//
// The mark counts the runs of this task in its high half; the low half is one more than the
// highest low half among the predecessors, so that a task that began too early shows.
//
// Arguments: ticks, mark (u64), number of predecessors that follow, the mark of each. Runs on
// either kind of core.
#include "kernel.h"

KERNEL_ENTRY(args) {
    KERNEL_GM uint64_t *mark = kernel::pointer<uint64_t>(args[1]);
    const uint64_t predecessors = args[2];
    uint32_t depth = 0;
    for (uint64_t i = 0; i < predecessors; ++i) {
        const uint32_t before = static_cast<uint32_t>(*kernel::pointer<const uint64_t>(args[3 + i]));
        depth = before > depth ? before : depth;
    }
    const uint64_t runs = (*mark >> 32) + 1;
    *mark = (runs << 32) | (static_cast<uint64_t>(depth) + 1);
}

KERNEL_COST(args, cost) {
    cost->exact_ticks = args[0];
}
