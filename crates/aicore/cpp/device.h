// The device interface as the AICore program uses it: inlined on the chip, a table in the simulator.
//
// A load may return old bytes until its line is invalidated. A store is visible to others only once
// its line is cleaned and a store barrier has passed. Registers are never stale.
#pragma once

#include "lanescope_abi.h"

#ifndef LANESCOPE_CHIP
#error "LANESCOPE_CHIP is not defined; pass -DLANESCOPE_CHIP=1 for a2a3 or =2 for a5"
#endif
#ifndef LANESCOPE_RING_SIZE
#error "LANESCOPE_RING_SIZE is not defined; pass -DLANESCOPE_RING_SIZE=1, 2, 4, 8 or 16"
#endif

#ifdef __CCE_AICORE__
#define LANESCOPE_DEVICE __aicore__ inline
#else
#define LANESCOPE_DEVICE inline
#endif

// Whether the step called `name` is weakened, in a test build; see crates/abi/src/mutant.rs.
#ifdef LANESCOPE_MUTANTS
#include <cstdlib>
#include <cstring>
#define LANESCOPE_IS_MUTANT(name) (getenv("LANESCOPE_MUTANT") != nullptr && strcmp(getenv("LANESCOPE_MUTANT"), name) == 0)
#else
#define LANESCOPE_IS_MUTANT(name) false
#endif

namespace lanescope {

constexpr uint32_t chip = LANESCOPE_CHIP;
constexpr uint32_t ring_size = LANESCOPE_RING_SIZE;
constexpr bool is_a2a3 = chip == static_cast<uint32_t>(LANESCOPE_CHIP_A2A3);

static_assert(is_a2a3 || chip == static_cast<uint32_t>(LANESCOPE_CHIP_A5), "an unknown chip");
static_assert(ring_size >= 1 && ring_size <= 16 && (ring_size & (ring_size - 1)) == 0,
              "a ring has 1, 2, 4, 8 or 16 slots");

// One word that a wait watches.
struct Watched {
    uint64_t address;
    uint32_t seen;
    lanescope_awaited_by by;
};

}  // namespace lanescope

#ifdef __CCE_AICORE__
#include "device_chip.h"
#else
#include "device_table.h"
#endif
