"""The recorder's own logic, on events made by hand: what it writes, and what it refuses. No PyTorch."""
import gzip
import os
import pathlib
import random
import sys
import tempfile
import types
import unittest
import unittest.mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import record_torch_trace as recorder  # noqa: E402

BEGIN_NS, END_NS = 1_000_000, 9_000_000


def recording(*steps, begin_ns=BEGIN_NS, end_ns=END_NS):
    """Events from (t_ns, address, bytes, stack), with the count that a true allocator would have."""
    held, events = 0, []
    for t_ns, address, size, stack in steps:
        held += size
        events.append(recorder.Event(t_ns, address, size, held, stack))
    return recorder.Recording(events, begin_ns, end_ns)


def rows(*steps):
    return list(recorder.rows_of(recording(*steps)))


def lines(*rows_written):
    return [recorder.HEADER + "\n", *(row + "\n" for row in rows_written)]


class Rows(unittest.TestCase):
    def test_what_is_live_before_the_window_comes_first_in_address_order(self):
        made = rows((1, 0x30, 300, "a"), (2, 0x10, 100, "b"), (3, 0x20, 200, "a"),
                    (4, 0x20, -200, "c"))

        self.assertEqual(made[:3], [("alloc", 1, 100, 0, 0, 0, 1), ("alloc", 2, 300, 0, 0, 0, 2),
                                    ("begin", 0, 0, 0, 0, 0, 0)])

    def test_an_address_that_is_used_again_is_another_block(self):
        made = rows((BEGIN_NS, 0x10, 64, "a"), (BEGIN_NS + 2000, 0x10, -64, "b"),
                    (BEGIN_NS + 3000, 0x10, 32, "a"))

        self.assertEqual(made[1:4], [("alloc", 1, 64, 0, 0, 0, 1), ("free", 1, 64, 0, 2, 0, 2),
                                     ("alloc", 2, 32, 0, 3, 0, 1)])

    def test_a_stack_that_was_not_recorded_is_site_0(self):
        self.assertEqual(rows((BEGIN_NS, 0x10, 64, None))[1][6], 0)

    def test_what_happens_after_the_window_is_left_out(self):
        made = rows((BEGIN_NS, 0x10, 64, "a"), (END_NS + 1, 0x10, -64, "a"))

        self.assertEqual(made[2:], [("snapshot", 0, 64, 0, 8000, 0, 0)])

    def test_a_window_without_events_still_has_its_prologue(self):
        self.assertEqual([row[0] for row in rows((1, 0x10, 64, "a"))],
                         ["alloc", "begin", "snapshot"])

    def test_an_event_that_is_missing_is_refused(self):
        whole = recording((1, 0x10, 64, "a"), (2, 0x20, 32, "a"), (3, 0x20, -32, "a"))
        holed = whole._replace(events=whole.events[:1] + whole.events[2:])

        with self.assertRaisesRegex(recorder.Refused, "missing or out of order"):
            list(recorder.rows_of(holed))

    def test_an_address_handed_out_twice_is_refused(self):
        with self.assertRaisesRegex(recorder.Refused, "event 1: address 0x10 is handed out twice"):
            rows((1, 0x10, 64, "a"), (2, 0x10, 64, "a"))

    def test_a_block_given_back_with_other_bytes_is_refused(self):
        with self.assertRaisesRegex(recorder.Refused, "32 bytes at 0x10 .* 64 are live there"):
            rows((1, 0x10, 64, "a"), (2, 0x10, -32, "a"))

    def test_a_block_given_back_and_never_handed_out_is_refused(self):
        with self.assertRaisesRegex(recorder.Refused, "64 bytes at 0x20 .* 0 are live there"):
            rows((1, 0x10, 64, "a"), (2, 0x20, -64, "a"))


class Figures(unittest.TestCase):
    GOOD = ("alloc,1,100,0,0,0,1", "begin,0,0,0,0,0,0", "alloc,2,50,0,5,0,2", "free,1,100,0,6,0,0",
            "snapshot,0,50,0,9,0,0")

    def test_are_those_of_the_rows(self):
        figures = recorder.figures_of(lines(*self.GOOD))

        self.assertEqual(figures, {
            "allocs": 2, "frees": 1, "prologue_blocks": 1, "prologue_bytes": 100,
            "peak_live_bytes": 150, "final_live_bytes": 50, "duration_us": 9, "sizes": 2,
            "alloc_sites": 2})

    def test_any_row_changed_or_lost_is_refused(self):
        changes = {0: "alloc,1,101,0,0,0,1", 1: "mark,0,0,0,0,0,0", 2: "alloc,2,51,0,5,0,2",
                   3: "free,2,100,0,6,0,0", 4: "snapshot,0,50,0,4,0,0"}
        for at, changed in changes.items():
            for instead in ([changed], []):
                with self.subTest(at=at, instead=instead), self.assertRaises(recorder.Refused):
                    recorder.figures_of(lines(*self.GOOD[:at], *instead, *self.GOOD[at + 1:]))

    def test_blocks_that_are_not_counted_in_the_order_of_the_rows_are_refused(self):
        with self.assertRaisesRegex(recorder.Refused, "block 3 is allocation number 2"):
            recorder.figures_of(lines("alloc,1,100,0,0,0,1", "alloc,3,100,0,0,0,1"))

    def test_a_file_without_the_first_line_is_refused(self):
        with self.assertRaisesRegex(recorder.Refused, "first line"):
            recorder.figures_of(lines(*self.GOOD)[1:])


class Writing(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.path = os.path.join(self.folder, "trace.csv.gz")

    def random_recording(self, seed):
        """A few hundred blocks that come and go, some before the window."""
        draw, live, steps = random.Random(seed), {}, []
        for t_ns in range(0, END_NS, 20_000):
            if live and draw.random() < 0.45:
                address = draw.choice(sorted(live))
                steps.append((t_ns, address, -live.pop(address), draw.randrange(20)))
            else:
                address = draw.choice([a for a in range(64, 6400, 64) if a not in live])
                live[address] = draw.randrange(1, 1 << 20)
                steps.append((t_ns, address, live[address], draw.randrange(20)))
        return recording(*steps)

    def test_a_file_read_back_has_the_allocators_own_figures(self):
        for seed in range(20):
            with self.subTest(seed=seed):
                made = self.random_recording(seed)
                figures = recorder.write(made, self.path)

                before = [e.held for e in made.events if e.t_ns < BEGIN_NS][-1]
                within = [e.held for e in made.events if e.t_ns >= BEGIN_NS]
                self.assertEqual(figures["peak_live_bytes"], max(within + [before]))
                self.assertEqual(figures["final_live_bytes"], within[-1])
                self.assertEqual(figures["prologue_bytes"], before)

    def test_the_same_recording_gives_the_same_file(self):
        other = os.path.join(self.folder, "other.csv.gz")
        recorder.write(self.random_recording(1), self.path)
        recorder.write(self.random_recording(1), other)

        content = pathlib.Path(self.path).read_bytes()
        self.assertEqual(content, pathlib.Path(other).read_bytes())
        self.assertEqual(content[3:8], bytes(5), "gzip's head has neither a name nor a time")

    def test_a_refused_recording_leaves_what_was_there(self):
        recorder.write(recording((BEGIN_NS, 0x10, 64, "a")), self.path)
        before = pathlib.Path(self.path).read_bytes()

        with self.assertRaises(recorder.Refused):
            recorder.write(recording((1, 0x10, 64, "a"), (2, 0x10, 64, "a")), self.path)

        self.assertEqual(os.listdir(self.folder), ["trace.csv.gz"])
        self.assertEqual(pathlib.Path(self.path).read_bytes(), before)

    def test_a_peak_that_the_allocator_did_not_count_is_refused(self):
        made = recording((BEGIN_NS, 0x10, 64, "a"), (BEGIN_NS + 1, 0x10, -64, "a"))
        with unittest.mock.patch.object(recorder, "figures_of", lambda _: {
                "peak_live_bytes": 63, "prologue_bytes": 0}):
            with self.assertRaisesRegex(recorder.Refused, "63 bytes .* counted 64"):
                recorder.write(made, self.path)


class Tree(unittest.TestCase):
    """The profiler's tree, played by plain objects."""

    @staticmethod
    def call(function, start_ns, end_ns, *children, line=1):
        frame = types.SimpleNamespace(file_name="gpt.py", line_number=line, function_name="caller")
        called = types.SimpleNamespace(file_name="gpt.py", line_number=9, function_name=function)
        return types.SimpleNamespace(
            tag="_EventType.PyCall", name=f"gpt.py(9): {function}", start_time_ns=start_ns,
            end_time_ns=end_ns, children=children,
            extra_fields=types.SimpleNamespace(caller=frame, callsite=called))

    @staticmethod
    def operator(name, *children):
        return types.SimpleNamespace(tag="_EventType.TorchOp", name=name, children=children,
                                     extra_fields=types.SimpleNamespace())

    @staticmethod
    def memory(t_ns, address, size, held):
        fields = types.SimpleNamespace(ptr=address, alloc_size=size, total_allocated=held)
        return types.SimpleNamespace(tag="_EventType.Allocation", start_time_ns=t_ns,
                                     extra_fields=fields, children=())

    def test_events_are_put_in_the_order_of_their_times(self):
        tree = [self.call("train_steps", 1, 9, self.memory(5, 0x10, -64, 0)),
                self.memory(3, 0x10, 64, 64)]

        made = recorder.recording_of(tree)

        self.assertEqual([event.t_ns for event in made.events], [3, 5])
        self.assertEqual((made.begin_ns, made.end_ns), (1, 9))

    def test_layers_of_a_loop_share_a_stack_and_lines_tell_stacks_apart(self):
        def layer(t_ns, line):
            return self.call("forward", t_ns, t_ns + 1, self.operator(
                "aten::mm", self.memory(t_ns, 64 * t_ns, 8, 8 * t_ns)), line=line)

        made = recorder.recording_of(
            [self.call("train_steps", 1, 9, layer(1, 7), layer(2, 7), layer(3, 8))])

        first, second, third = (event.stack for event in made.events)
        self.assertEqual(first, second)
        self.assertNotEqual(second, third)

    def test_a_profile_without_the_window_is_refused(self):
        with self.assertRaisesRegex(recorder.Refused, "0 calls of train_steps"):
            recorder.recording_of([self.call("forward", 1, 9)])


if __name__ == "__main__":
    unittest.main()
