// core: aiv
//
// Says that it runs, then waits until the host opens the gate, and answers.
//
// The host stores a number in the gate word while the kernel runs; the kernel stores the number
// plus one in the answer word. A gate that stays shut is given up after a number of looks, and the
// answer stays 0.
//
// Arguments: entered (u64, set to 1), gate (u64), answer (u64), most looks at the gate. Each word
// has a line of its own. Runs on either kind of core.
#include "kernel.h"

KERNEL_ENTRY(args) {
    KERNEL_GM volatile uint64_t *entered = kernel::pointer<volatile uint64_t>(args[0]);
    KERNEL_GM volatile uint64_t *gate = kernel::pointer<volatile uint64_t>(args[1]);
    KERNEL_GM volatile uint64_t *answer = kernel::pointer<volatile uint64_t>(args[2]);
    const uint64_t looks = args[3];
    *entered = 1;
    uint64_t opened = 0;
    for (uint64_t look = 0; look < looks && opened == 0; ++look) {
        kernel::write_back_and_forget();
        opened = *gate;
    }
    if (opened != 0) {
        *answer = opened + 1;
    }
}

KERNEL_COST(args, cost) {
    (void)args;
    cost->fixed_ns = kernel::VECTOR_FIXED_NS;
}
