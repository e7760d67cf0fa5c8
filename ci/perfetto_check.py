"""Decodes a Perfetto trace with the published schema and compares it field by field with CSV tables.

Needs the package `perfetto`. Invariants: slices balance on every track, clocks never run back, flows
resolve, and the trace decodes from any place where everything was told again.
"""

import argparse
import collections
import csv
import math
import pathlib
import sys

from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as proto

CLEARED, NEEDS = 1, 2
BEGIN, END, INSTANT, COUNTER = 1, 2, 3, 4


def expect(condition, text):
    if not condition:
        sys.exit(f"perfetto_check: {text}")


class Sequence:
    """What packets of one sequence rest on."""

    def __init__(self):
        self.names, self.arguments, self.track, self.clock, self.unit, self.now = {}, {}, 0, 0, 1, None


class Decoded:
    """Slices, instants, counters and tracks, with names and times resolved."""

    def __init__(self, packets):
        self.tracks, self.slices, self.instants = {}, [], []
        # By track: when it was set, and to what.
        self.counters = collections.defaultdict(list)
        self.restarts, self.skipped = 0, 0
        self.flows = collections.defaultdict(lambda: [[], []])
        sequences, open_slices, latest = {}, collections.defaultdict(list), {}
        for packet in packets:
            if packet.HasField("track_descriptor"):
                self.describe(packet.track_descriptor)
            number = packet.trusted_packet_sequence_id
            if packet.sequence_flags & CLEARED:
                self.restarts += number in sequences
                sequences[number] = self.start(packet)
            if not packet.HasField("track_event"):
                continue
            event = packet.track_event
            sequence = sequences.get(number)
            if packet.sequence_flags & NEEDS and sequence is None:
                self.skipped += 1
                continue
            sequence = sequence or Sequence()
            for name in packet.interned_data.event_names:
                sequence.names[name.iid] = name.name
            at = packet.timestamp
            if sequence.clock:
                sequence.now += packet.timestamp * sequence.unit
                at = sequence.now
            track = event.track_uuid or sequence.track
            expect(track in self.tracks, f"an event on track {track}, which nothing describes")
            if event.type != INSTANT:
                expect(at >= latest.get(track, 0), f"time runs back on track {track}")
                latest[track] = at
            if event.type == END:
                if not open_slices[track]:
                    self.skipped += 1
                    continue
                open_slices[track].pop()["end"] = at
                continue
            name = event.name or sequence.names.get(event.name_iid, "")
            arguments = {
                note.name or sequence.arguments[note.name_iid]: note.uint_value
                for note in event.debug_annotations
            }
            record = {"track": track, "at": at, "name": name, "arguments": arguments}
            for flow in event.flow_ids:
                self.flows[flow][0].append(record)
            for flow in event.terminating_flow_ids:
                self.flows[flow][1].append(record)
            if event.type == BEGIN:
                expect(name, f"a slice without a name on track {track}")
                open_slices[track].append(record)
                self.slices.append(record)
            elif event.type == INSTANT:
                self.instants.append(record)
            elif event.type == COUNTER:
                self.counters[track].append((at, event.double_counter_value))
        left = sum(map(len, open_slices.values()))
        expect(left == 0, f"{left} slices begin and never end")

    def describe(self, descriptor):
        kind, name = "track", descriptor.name
        if descriptor.HasField("process"):
            kind, name = "process", descriptor.process.process_name
        elif descriptor.HasField("thread"):
            kind, name = "thread", descriptor.thread.thread_name
        unit = descriptor.counter.unit_name if descriptor.HasField("counter") else None
        track = {"kind": kind, "name": name, "parent": descriptor.parent_uuid, "unit": unit}
        before = self.tracks.setdefault(descriptor.uuid, track)
        expect(before == track, f"track {descriptor.uuid} is described as two different ones")

    @staticmethod
    def start(packet):
        sequence = Sequence()
        sequence.track = packet.trace_packet_defaults.track_event_defaults.track_uuid
        sequence.clock = packet.trace_packet_defaults.timestamp_clock_id
        for name in packet.interned_data.debug_annotation_names:
            sequence.arguments[name.iid] = name.name
        clocks = {clock.clock_id: clock for clock in packet.clock_snapshot.clocks}
        device = clocks.get(sequence.clock)
        expect(device is not None and device.is_incremental, "a sequence starts without its clock")
        sequence.unit = device.unit_multiplier_ns or 1
        sequence.now = device.timestamp * sequence.unit
        boot = packet.clock_snapshot.primary_trace_clock
        expect(clocks[boot].timestamp == sequence.now, "the two clocks of a snapshot differ")
        return sequence

    def root(self, track):
        """The process of a track, and the name of the thread it belongs to."""
        thread = None
        while track and self.tracks[track]["kind"] != "process":
            thread = self.tracks[track]["name"]
            track = self.tracks[track]["parent"]
        return (self.tracks[track]["name"] if track else ""), thread


def rows(folder, table):
    with open(folder / f"{table}.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def number(text):
    return int(text) if text else 0


def compare(decoded, folder):
    run = rows(folder, "runs")[0]
    per_second = int(run["ticks_per_second"])

    def nanoseconds(ticks):
        return int(ticks) * 1_000_000_000 // per_second

    expected, stays = collections.Counter(), collections.Counter()
    halves, tasks = 0, rows(folder, "tasks")
    for task in tasks:
        core = f"{task['core_type'].upper()}_{task['core']}"
        name = task["function"] or f"func_{task['func_id']}"
        start, end = number(task["start_ticks"]), number(task["end_ticks"])
        dispatch, finish = number(task["dispatch_ticks"]), number(task["finish_ticks"])
        if start and end >= start:
            key = (core, name, nanoseconds(start), nanoseconds(end), int(task["task_id"]))
            waits = (
                nanoseconds(start - dispatch) if 0 < dispatch <= start else None,
                nanoseconds(finish - end) if finish >= end else None,
            )
            expected[key + (number(task["token"]), int(task["func_id"])) + waits] += 1
        else:
            halves += bool(start or end)
        if dispatch and finish >= dispatch:
            stays[(core, name, nanoseconds(dispatch), nanoseconds(finish), int(task["task_id"]))] += 1
    kernels, seen_stays, phases = collections.Counter(), collections.Counter(), collections.Counter()
    for piece in decoded.slices:
        process, thread = decoded.root(piece["track"])
        arguments = piece["arguments"]
        key = (thread, piece["name"], piece["at"], piece["end"], arguments.get("task_id", 0))
        if process.startswith("AICore"):
            ids = (arguments.get("token", 0), arguments.get("func_id", 0))
            waits = (arguments.get("head_wait_ns"), arguments.get("tail_wait_ns"))
            kernels[key + ids + waits] += 1
        elif thread.startswith(("AIC_", "AIV_")):
            seen_stays[key] += 1
        elif not piece["name"].startswith("Orchestrator("):
            phases[key[:4] + (process, tuple(sorted(arguments.items())))] += 1
    timed = expected_phases(rows(folder, "phases"), nanoseconds)
    compared = (("kernels", kernels, expected), ("stays", seen_stays, stays), ("phases", phases, timed))
    for what, found, wanted in compared:
        missing, surplus = list((wanted - found).items())[:2], list((found - wanted).items())[:2]
        expect(found == wanted, f"{what} differ: not in the trace {missing}, not in the table {surplus}")

    places = {piece["arguments"].get("task_id") for piece in decoded.slices + decoded.instants}
    wanted = collections.Counter(
        (int(edge["producer"]), int(edge["consumer"]))
        for edge in rows(folder, "edges")
        if int(edge["producer"]) in places and int(edge["consumer"]) in places
    )
    found = collections.Counter()
    for flow, (begins, ends) in decoded.flows.items():
        expect(len(begins) == 1 and len(ends) == 1, f"flow {flow} has {len(begins)} begins, {len(ends)} ends")
        found[(begins[0]["arguments"]["task_id"], ends[0]["arguments"]["task_id"])] += 1
    expect(found == wanted, f"flows differ from the edges: {list((wanted - found).items())[:3]}")

    compare_counters(decoded, rows(folder, "pmu"), tasks, nanoseconds)
    losses = [piece for piece in decoded.instants if "lost" in piece["name"]]
    verdicts = rows(folder, "verdicts")
    if verdicts and verdicts[0]["outcome"] == "exact":
        expect(not losses, f"a loss mark in an exact run: {losses[:1]}")
    if verdicts:
        verdict = f"verdict: {verdicts[0]['outcome']}"
        expect(any(piece["name"] == verdict for piece in decoded.instants), f"no instant `{verdict}`")
    return sum(kernels.values()), sum(phases.values()), sum(found.values()), halves


def expected_phases(table, nanoseconds):
    """Every phase that has a time, as the trace must tell it: track, name, times, process, arguments."""
    expected = collections.Counter()
    for row in table:
        start, end = number(row["start_ticks"]), number(row["end_ticks"])
        if not 0 < start <= end:
            continue
        if row["role"] == "orchestrator":
            columns = {"submit_index": "round", "task_id": "task_id"}
        else:
            columns = {"loop_iter": "round", "tasks_processed": "tasks", "pop_hit": "pop_hits", "pop_miss": "pop_misses"}
            if number(row["rounds"]) > 1:
                columns["rounds"] = "rounds"
        arguments = {name: int(row[column]) for name, column in columns.items() if row[column]}
        times = (nanoseconds(start), nanoseconds(end))
        process = f"AICPU thread {row['thread']}"
        expected[(row["role"], row["phase"], *times, process, tuple(sorted(arguments.items())))] += 1
    return expected


def rate(unit, column, value, cycles):
    """What a counter's track shows, by its unit; a request has 256 bytes at the L0 buffers, 64 elsewhere."""
    per_cycle = value / cycles if cycles else 0.0
    if unit == "%":
        return per_cycle * 100
    if unit == "bytes per cycle":
        return per_cycle * (256 if "l0" in column else 64)
    expect(unit == "events per 1000 cycles", f"counter {column} in {unit}")
    return per_cycle * 1000


def compare_counters(decoded, table, tasks, nanoseconds):
    """Every count of a task stands on its core's track from the task's start to its end, and nothing else does."""
    units, found = {}, collections.defaultdict(dict)
    for track, steps in decoded.counters.items():
        _, core = decoded.root(decoded.tracks[track]["parent"])
        column = decoded.tracks[track]["name"]
        units[column] = decoded.tracks[track]["unit"]
        for place, (at, value) in enumerate(steps):
            ends = steps[place + 1][0] if place + 1 < len(steps) else None
            if value:
                found[(core, column)][at] = (value, ends)
    spans = {(task["core"], task["token"]): (number(task["start_ticks"]), number(task["end_ticks"])) for task in tasks}
    told = 0
    for row in table:
        start, end = spans.get((row["core"], row["token"]), (0, 0))
        if not int(row["value"]) or not 0 < start <= end:
            continue
        core, column = f"{row['core_type'].upper()}_{row['core']}", row["counter"]
        what = f"{column} of task {row['task_id']} on {core}"
        step = found[(core, column)].pop(nanoseconds(start), None)
        expect(step, f"{what} is on no track")
        wanted = rate(units[column], column, int(row["value"]), int(row["total_cycles"]))
        expect(math.isclose(step[0], wanted, rel_tol=1e-12), f"{what} is {step[0]}, expected {wanted}")
        expect(start == end or step[1] == nanoseconds(end), f"{what} ends at {step[1]}, expected {nanoseconds(end)}")
        told += 1
    # A row whose task has no record stands where it was committed.
    alone = {(f"{row['core_type'].upper()}_{row['core']}", row["counter"], nanoseconds(number(row["ticks"])))
             for row in table if (row["core"], row["token"]) not in spans}
    for (core, column), steps in found.items():
        rest = [at for at in steps if (core, column, at) not in alone]
        expect(not rest, f"{column} on {core} is set at {rest[:2]}, where the table has no task")
    expect(bool(told) == bool(decoded.counters), "counters are in only one of trace and table")


def check_cuts(packets):
    """A reader may begin where everything is told again, and end anywhere."""
    first = packets[0].track_descriptor.uuid
    described = (packet.track_descriptor.uuid for packet in packets)
    starts = [place for place, uuid in enumerate(described) if uuid == first][1:]
    for place in starts[:2]:
        try:
            rest = Decoded(packets[place:])
        except KeyError as error:
            sys.exit(f"perfetto_check: from packet {place} on, {error} is not known")
        expect(rest.slices, f"nothing decodes from packet {place} on")
        tail = sum(p.HasField("track_event") for p in packets[place:])
        expect(rest.skipped * 10 < tail, f"from packet {place} on {rest.skipped} of {tail} events are lost")
    return len(starts)


def damaged(packets, kind):
    for packet in packets:
        event = packet.track_event
        if kind == "name" and packet.interned_data.event_names:
            packet.interned_data.event_names[0].name += "x"
            return
        if kind == "time" and event.type == END:
            packet.timestamp += 1
            return
        if kind == "flow" and event.flow_ids:
            event.flow_ids[0] += 1
            return
        if kind == "counter" and event.type == COUNTER and event.double_counter_value:
            event.double_counter_value *= 1.0001
            return
        if kind == "phase" and event.debug_annotations and is_phase(packets, event):
            event.debug_annotations[0].uint_value += 1
            return


def is_phase(packets, event):
    """Of all slices only phases of a scheduler begin with the round."""
    interned = (note for packet in packets for note in packet.interned_data.debug_annotation_names)
    name = next(note.name for note in interned if note.iid == event.debug_annotations[0].name_iid)
    return event.type == BEGIN and name == "loop_iter"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--damage", choices=["name", "time", "flow", "counter", "phase"])
    parser.add_argument("trace", type=pathlib.Path)
    parser.add_argument("tables", type=pathlib.Path)
    arguments = parser.parse_args()
    trace = proto.Trace()
    trace.ParseFromString(arguments.trace.read_bytes())
    packets = list(trace.packet)
    if arguments.damage:
        damaged(packets, arguments.damage)
    decoded = Decoded(packets)
    expect(decoded.skipped == 0, f"{decoded.skipped} events rest on what was not told")
    kernels, phases, flows, halves = compare(decoded, arguments.tables)
    cuts = 0 if arguments.damage else check_cuts(packets)
    print(
        f"{arguments.trace.name}: {kernels} kernels, {phases} phases, {flows} flows, "
        f"{sum(map(len, decoded.counters.values()))} counter values, {halves} halves, {cuts} places to begin: as the tables say"
    )


main()
