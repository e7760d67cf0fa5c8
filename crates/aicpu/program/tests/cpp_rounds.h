// What a scheduler in C++ says it did, by the record API.

#pragma once

#include "lanescope_record.h"

namespace {

const lanescope_device_table *device() { return lanescope_device(); }

// What the thread did: a stretch for each round in which it completed or dispatched, and one for as
// long as it idles, copies or waits for room.
class Rounds {
  public:
    explicit Rounds(lanescope_recorder *recorder) : recorder_(recorder) {
        uint32_t collected = 0;
        error_ = lanescope_record_collected(recorder, &collected);
        is_on_ = (collected & LANESCOPE_RECORD_PHASES) != 0;
    }

    int32_t error() const { return error_; }

    void begin() {
        if (!is_on_) return;
        lanescope_record_enter_round(recorder_, ++round_);
        mark_ = device()->ticks();
        if (open_.kind != uint32_t{LANESCOPE_PHASE_KIND_DUMP}) open_.end_ticks = mark_;
    }

    void look(bool is_hit) { ++(is_hit ? hits_ : misses_); }

    void done(lanescope_phase_kind kind, uint32_t tasks) {
        if (!is_on_ || tasks == 0) return;
        finish();
        const uint64_t begin = mark_;
        mark_ = device()->ticks();
        tell({begin, mark_, UINT64_MAX, uint32_t{kind}, round_, tasks, 0, 0, 0});
    }

    void go_on(lanescope_phase_kind kind) {
        if (!is_on_) return;
        if (open_.kind != uint32_t{kind}) {
            finish();
            open_ = {mark_, mark_, UINT64_MAX, uint32_t{kind}, round_, 0, 0, 0, 0};
        }
        ++open_.tasks;
        if (kind == LANESCOPE_PHASE_KIND_DUMP) open_.end_ticks = mark_ = device()->ticks();
    }

    void finish() {
        if (open_.kind != 0) tell(open_);
        open_ = {};
    }

    // A step of the orchestrator.
    void submit(lanescope_phase_kind kind, uint32_t submission, uint64_t task_id) {
        const uint64_t begin = device()->ticks();
        note({begin, device()->ticks(), task_id, uint32_t{kind}, submission, 1, 0, 0, 0});
    }

  private:
    void tell(lanescope_record_stretch stretch) {
        if (stretch.kind != uint32_t{LANESCOPE_PHASE_KIND_COMPLETE}) {
            stretch.hits = hits_;
            stretch.misses = misses_;
            hits_ = misses_ = 0;
        }
        note(stretch);
    }

    void note(const lanescope_record_stretch &stretch) {
        const int32_t error = lanescope_record_phase(recorder_, &stretch);
        if (error_ == 0) error_ = error;
    }

    lanescope_recorder *recorder_;
    bool is_on_ = false;
    int32_t error_ = 0;
    uint32_t round_ = 0;
    uint64_t mark_ = 0;
    uint32_t hits_ = 0;
    uint32_t misses_ = 0;
    lanescope_record_stretch open_ = {};
};

}  // namespace
