#!/usr/bin/env python3
"""The program `tenure` as a user meets it: what it prints, what it refuses, and how it ends.

Usage: cli_test.py PROGRAM DATA_FOLDER
"""
import json
import os
import pty
import resource
import stat
import subprocess
import sys
import threading
import unittest

from program import Case, DATA, PROGRAM, run


class Help(Case):
    def test_names_every_verb(self):
        done = run("--help")
        self.assertEqual(done.returncode, 0)
        for verb in ("replay", "plan", "doctor", "report", "stress", "top"):
            self.assertIn(verb, done.stdout)

    def test_of_a_verb_names_its_options_and_defaults(self):
        done = run("replay", "--help")
        self.assertEqual(done.returncode, 0)
        for word in ("--device", "--lifetimes", "--json", "explicit", "auto"):
            self.assertIn(word, done.stdout)

    def test_says_the_version(self):
        self.assertRegex(run("--version").stdout, r"^tenure \d+\.\d+\.\d+\n$")

    def test_is_asked_for_when_nothing_is_named(self):
        self.expect_refusal(run(), "subcommand")


class Plan(Case):
    def test_shows_what_a_plan_saves_and_where_the_largest_blocks_lie(self):
        done = run("plan", DATA / "gpt_train_cpu.csv.gz", "--rows", 3)
        self.assertEqual(done.returncode, 0, done.stderr)
        head, row, _, title, _, *blocks = done.stdout.splitlines()
        self.assertEqual(head.split()[-2:], ["saves", "solved"])
        self.assertEqual(row.split()[0], "gpt_train_cpu")
        self.assertIn("largest blocks", title)
        self.assertEqual(len(blocks), 3)

    def test_writes_a_place_for_every_block_that_no_other_uses_meanwhile(self):
        trace = self.trace("alloc,1,1000,0,0,0,0\nalloc,2,2048,0,0,0,0\nfree,1,1000,0,0,0,0\n"
                           "alloc,3,512,0,0,0,0\nfree,2,2048,0,0,0,0\n")
        plan = json.loads(run("plan", trace, "--device", "sim:1GiB", "--json", "-").stdout)
        self.assertEqual(plan["planned_bytes"], 1024 + 2048)
        self.assertEqual([block["bytes"] for block in plan["blocks"]], [1000, 2048, 512])
        for block in plan["blocks"]:
            for other in plan["blocks"]:
                if block is not other and block["begin"] < other["end"] and other["begin"] < block["end"]:
                    self.assertTrue(block["offset"] + block["bytes"] <= other["offset"]
                                    or other["offset"] + other["bytes"] <= block["offset"])

    def test_refuses_a_trace_without_blocks(self):
        self.expect_refusal(run("plan", self.trace("")), "one block")


class Replay(Case):
    def test_prints_a_row_for_each_run_and_compares_the_lifetimes(self):
        done = run("replay", DATA / "gpt_train_cpu.csv.gz", "--device", "sim:24GiB",
                   "--lifetimes", "explicit,gc")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "", "no progress bar in a pipe")
        self.assertIn("explicit", done.stdout)
        self.assertIn("left to the collector", done.stdout)

    def test_checks_payloads_where_asked(self):
        for device in ("host", "sim:1GiB"):
            for lifetimes in ("explicit", "gc"):
                figures = [json.loads(run("replay", DATA / "tiny.csv", "--device", device, "--lifetimes",
                                          lifetimes, "--json", "-", *check).stdout)
                           for check in ([], ["--check"], ["--set", "check=payload"])]
                for checked in figures[1:]:
                    self.assertEqual(checked["peak_leased_bytes"], figures[0]["peak_leased_bytes"])
                    self.assertEqual(checked["leaked_blocks"], 0)
                    self.assertGreaterEqual(checked["peak_reserved_bytes"], checked["peak_leased_bytes"])

    def test_writes_the_figures_of_one_run_as_an_object(self):
        out = self.folder / "out.json"
        done = run("replay", DATA / "gpt_train_cpu.csv.gz", "--device", "sim:24GiB", "--lifetimes", "gc",
                   "--json", out)
        self.assertEqual(done.returncode, 0, done.stderr)
        figures = json.loads(out.read_text())
        for key in ("events", "events_per_second", "peak_live_bytes", "peak_reserved_bytes", "utilisation",
                    "fragmentation", "collections", "leaked_blocks"):
            self.assertIn(key, figures)
        self.assertEqual(set(figures["pause_ns"]), {"p50", "p99", "max"})
        self.assertEqual(figures["leaked_blocks"], 0)
        self.assertGreater(figures["collections"], 0)
        self.assertLessEqual(figures["peak_live_bytes"], figures["peak_reserved_bytes"])

    def test_writes_several_runs_as_an_array_to_the_standard_output(self):
        done = run("replay", DATA / "tiny.csv", "--device", "host,sim:1GiB", "--json", "-")
        self.assertEqual([row["device"] for row in json.loads(done.stdout)], ["host", "sim:1GiB"])

    def test_keeps_collected_lifetimes_within_a_quarter_of_explicit_ones(self):
        done = run("replay", DATA / "gpt_train_cpu.csv.gz", "--device", "host,sim:24GiB",
                   "--lifetimes", "explicit,gc", "--json", "-")
        rows = json.loads(done.stdout)
        for device in ("host", "sim:24GiB"):
            reserved = {row["lifetimes"]: row["peak_reserved_bytes"] for row in rows if row["device"] == device}
            self.assertLessEqual(reserved["gc"], 1.25 * reserved["explicit"])
        self.assertEqual({row["leaked_blocks"] for row in rows}, {0})

    def test_spreads_a_trace_over_threads_and_says_what_an_operation_took(self):
        done = run("replay", DATA / "gpt_train_cpu.csv.gz", "--device", "host", "--threads", 4)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"4 threads: [\d,]+ operations a second, peak leased .*"
                                      r" a lease p50 .*, p99 .*, longest .*; a return p50 ")
        figures = json.loads(run("replay", DATA / "tiny.csv", "--threads", 2, "--json", "-").stdout)
        self.assertEqual(figures["threads"], 2)
        self.assertEqual(set(figures["lease_ns"]), {"p50", "p99", "max"})
        self.assertEqual(figures["leaked_blocks"], 0)

    def test_refuses_threads_for_what_has_none(self):
        self.expect_refusal(run("replay", DATA / "tiny.csv", "--threads", 2, "--lifetimes", "gc"), "threads")
        self.expect_refusal(run("replay", DATA / "tiny.csv", "--threads", 2, "--policy", "cupy"), "threads")
        self.expect_refusal(run("replay", DATA / "tiny.csv", "--threads", 0), "threads")

    def test_is_the_same_twice_but_for_time(self):
        def figures():
            row = json.loads(run("replay", DATA / "gpt_train_cpu.csv.gz", "--device", "sim:24GiB",
                                 "--lifetimes", "gc", "--json", "-").stdout)
            return {key: row[key] for key in ("events", "peak_reserved_bytes", "collections", "peak_leased_bytes")}
        self.assertEqual(figures(), figures())

    def test_leases_by_the_pools_count_what_the_trace_has_live(self):
        rows = json.loads(run("replay", DATA / "gpt_train_cpu.csv.gz", "--device", "host,sim:24GiB", "--json", "-").stdout)
        for row in rows:
            self.assertEqual(row["peak_leased_bytes"], 601774556)
            self.assertEqual(row["peak_live_bytes"], 601774556)

    def test_draws_a_progress_bar_on_a_terminal(self):
        ours, theirs = pty.openpty()
        done = subprocess.run([PROGRAM, "replay", DATA / "gpt_train_cpu.csv.gz"], stdout=subprocess.DEVNULL,
                              stderr=theirs, timeout=100)
        os.close(theirs)
        self.assertEqual(done.returncode, 0)
        drawn = os.read(ours, 100_000)
        os.close(ours)
        self.assertIn(b"[####", drawn)
        self.assertTrue(drawn.endswith(b"\r"), "the bar is taken away again")

    def test_keeps_its_columns_under_their_heads_for_long_names(self):
        path = self.trace("alloc,1,512,0,0,0,0\n", "a-trace-whose-name-is-longer-than-any-column.csv.gz")
        head, row = run("replay", path, "--device", "sim:1023MiB").stdout.splitlines()
        self.assertEqual(head.index("lifetimes"), row.index("explicit"))
        self.assertEqual(len(head), len(row))

    def test_takes_the_device_from_the_runtime_options_where_none_is_named(self):
        done = run("replay", DATA / "tiny.csv", "--set", "device=sim:1GiB", "--json", "-")
        self.assertEqual(json.loads(done.stdout)["device"], "sim:1GiB")
        done = run("replay", DATA / "tiny.csv", "--json", "-", TENURE_DEVICE="sim:2GiB")
        self.assertEqual(json.loads(done.stdout)["device"], "sim:2GiB")

    def test_prefers_the_command_line_to_the_environment(self):
        path = self.trace("alloc,1,4194304,0,0,0,0\n")
        done = run("replay", path, "--device", "sim:2MiB", TENURE_DEVICE="host")
        self.expect_refusal(done, "sim:2MiB")
        done = run("replay", path, "--set", "payload_budget=2MiB", TENURE_PAYLOAD_BUDGET="1GiB")
        self.expect_refusal(done, "budget 2 MiB")

    def test_follows_a_link_to_the_file_that_takes_the_figures(self):
        (self.folder / "link.json").symlink_to("real.json")
        (self.folder / "real.json").write_text("old")
        self.assertEqual(run("replay", DATA / "tiny.csv", "--json", self.folder / "link.json").returncode, 0)
        self.assertTrue((self.folder / "link.json").is_symlink())
        self.assertEqual(json.loads((self.folder / "real.json").read_text())["trace"], "tiny")

    def test_writes_figures_to_a_pipe_and_leaves_it_one(self):
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        read = []
        reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
        reader.start()
        self.assertEqual(run("replay", DATA / "tiny.csv", "--json", pipe).returncode, 0)
        reader.join()
        self.assertEqual(json.loads(read[0])["trace"], "tiny")
        self.assertTrue(stat.S_ISFIFO(pipe.stat().st_mode))

    def test_touches_no_file_but_the_one_named(self):
        bystander = self.folder / "out.json.part"
        bystander.write_text("mine")
        self.assertEqual(run("replay", DATA / "tiny.csv", "--json", self.folder / "out.json").returncode, 0)
        self.assertEqual(bystander.read_text(), "mine")
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["out.json", "out.json.part"])

    def test_compares_policies_in_a_table_with_a_ratio(self):
        done = run("replay", DATA / "gpt_train_cpu.csv.gz", DATA / "tiny.csv", "--device", "sim:24GiB",
                   "--policy", "native,pytorch,expandable,cupy,pow2", "--repeat", 2)
        self.assertEqual(done.returncode, 0, done.stderr)
        head, *rows = done.stdout.splitlines()
        self.assertEqual(head.split()[0:1] + head.split()[3:],
                         ["trace", "native", "again", "pytorch", "expandable", "cupy", "pow2", "ratio", "best",
                          "rival"])
        self.assertEqual([row.split()[0] for row in rows], ["gpt_train_cpu", "tiny"])
        native, _, *rivals, ratio, best = rows[0].split()[3:]
        self.assertAlmostEqual(float(ratio), float(native) / max(map(float, rivals)), places=3)
        self.assertEqual(float(rivals[["pytorch", "expandable", "cupy", "pow2"].index(best)]),
                         max(map(float, rivals)))

    def test_says_none_where_a_policy_finds_no_room(self):
        trace = self.trace("alloc,1,1048576,1,0,0,0\nfree,1,1048576,1,0,0,0\nalloc,2,3145728,2,0,0,0\n")
        done = run("replay", trace, "--policy", "cupy,pytorch", "--capacity", "4MiB")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.splitlines()[1].split()[3:], ["0.7500", "none", "-", "cupy"])

    def test_lists_the_utilisation_of_each_repetition(self):
        done = run("replay", DATA / "tiny.csv", "--device", "sim:1GiB", "--repeat", 3)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"utilisation by repetition( 0\.\d{4}){3};")

    def test_takes_runtime_options(self):
        done = run("replay", DATA / "gpt_train_cpu.csv.gz", "--device", "sim:24GiB", "--lifetimes", "gc",
                   "--set", "generations=2,verify=on", "--json", "-")
        self.assertEqual(json.loads(done.stdout)["leaked_blocks"], 0)


class Refusals(Case):
    def test_of_an_unknown_option(self):
        self.expect_refusal(run("replay", DATA / "tiny.csv", "--colour", "red"), "--colour")

    def test_of_an_unknown_verb(self):
        self.expect_refusal(run("juggle"), "juggle")

    def test_of_a_missing_file(self):
        self.expect_refusal(run("replay", self.folder / "none.csv.gz"), "none.csv.gz")

    def test_of_a_folder(self):
        self.expect_refusal(run("replay", self.folder), str(self.folder))

    def test_of_a_truncated_gzip(self):
        whole = (DATA / "gpt_train_cpu.csv.gz").read_bytes()
        path = self.folder / "cut.csv.gz"
        path.write_bytes(whole[:len(whole) // 2])
        self.expect_refusal(run("replay", path), "cut.csv.gz")

    def test_of_a_malformed_line(self):
        self.expect_refusal(run("replay", self.trace("alloc,1,512,0,0,0,0\nalloc,two,512,0,0,0,0\n")),
                            "trace.csv:3:")

    def test_of_an_impossible_size(self):
        self.expect_refusal(run("replay", self.trace("alloc,1,99999999999999999,0,0,0,0\n")), "trace.csv:2:")

    def test_of_a_free_without_its_alloc(self):
        self.expect_refusal(run("replay", self.trace("free,7,512,0,0,0,0\n")), "trace.csv:2:", "7")

    def test_of_a_block_larger_than_the_device_names_the_line(self):
        path = self.trace("alloc,1,512,0,0,0,0\nalloc,2,4294967296,0,0,0,0\n")
        self.expect_refusal(run("replay", path, "--device", "sim:1GiB"), "trace.csv:3:", "4 GiB", "1 GiB")

    def test_of_an_unknown_device(self):
        self.expect_refusal(run("replay", DATA / "tiny.csv", "--device", "abacus"), "abacus")

    def test_of_a_device_without_a_size(self):
        self.expect_refusal(run("replay", DATA / "tiny.csv", "--device", "sim:lots"), "lots")

    def test_of_an_unknown_policy(self):
        self.expect_refusal(run("replay", DATA / "tiny.csv", "--policy", "jemalloc"), "jemalloc", "cupy")

    def test_of_a_model_with_a_collector(self):
        self.expect_refusal(run("replay", DATA / "tiny.csv", "--policy", "cupy", "--lifetimes", "gc"), "collector")

    def test_of_an_unknown_lifetime(self):
        self.expect_refusal(run("replay", DATA / "tiny.csv", "--lifetimes", "eternal"), "eternal")

    def test_of_a_runtime_option_that_is_none(self):
        self.expect_refusal(run("replay", DATA / "tiny.csv", "--set", "nurserie=1MiB"), "nurserie")

    def test_of_a_place_that_cannot_be_written_leaves_nothing(self):
        out = self.folder / "no" / "such" / "out.json"
        self.expect_refusal(run("replay", DATA / "tiny.csv", "--json", out), str(out))
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_of_a_folder_for_the_figures_comes_before_the_work(self):
        done = run("replay", DATA / "tiny.csv", "--json", self.folder)
        self.expect_refusal(done, str(self.folder))
        self.assertEqual(done.stdout, "")

    def test_of_figures_past_a_limit_leaves_nothing(self):
        out = self.folder / "out.json"
        done = subprocess.run([PROGRAM, "replay", DATA / "tiny.csv", "--json", out], capture_output=True, text=True,
                              timeout=100, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)))
        self.expect_refusal(done, str(out))
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_of_an_output_that_takes_nothing(self):
        for more in ([], ["--json", "-"]):
            with open("/dev/full", "w") as full:
                done = subprocess.run([PROGRAM, "replay", DATA / "tiny.csv", *more], stdout=full,
                                      stderr=subprocess.PIPE, text=True, timeout=100)
            self.expect_refusal(done, "output")

    def test_of_a_device_for_the_figures_that_takes_nothing(self):
        self.expect_refusal(run("replay", DATA / "tiny.csv", "--json", "/dev/full"), "/dev/full")
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/full").st_mode))

    def test_of_a_trace_leave_no_figures_behind(self):
        out = self.folder / "out.json"
        self.expect_refusal(run("replay", self.trace("nonsense\n"), "--json", out))
        self.assertFalse(out.exists())


class Report(Case):
    def made(self, *more):
        path = self.folder / "report.json"
        done = run("replay", DATA / "gpt_train_cpu.csv.gz", "--device", "sim:24GiB", "--lifetimes", "gc",
                   "--report", path, *more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return path

    def test_of_a_replay_says_what_lay_where_after_the_last_event(self):
        path = self.made("--set", "profile=detailed,sample_interval=1KiB")
        report = json.loads(path.read_text())
        [pool], [mapped] = report["pools"], report["maps"]
        places = [place for piece in mapped["runs"] for place in piece["places"]]
        self.assertEqual(sum(place[1] for place in places), pool["reserved"])
        self.assertEqual(sum(place[2] for place in places), pool["live"])
        payloads = sum(held["payloads"]["device"] for held in (report["heap"]["total"], report["heap"]["floating"]))
        self.assertEqual(payloads, pool["live"])
        sampled = sum(site["live_bytes"] for site in report["profile"]["sites"] if site["is_payload"])
        self.assertAlmostEqual(sampled / pool["live"], 1, delta=0.05)
        collections = [event for event in report["events"] if event["kind"] == "collection"]
        self.assertEqual(len(collections) + report["events_lost"], report["collections"]["all"])
        self.assertTrue(all(row["reason"] for row in report["decisions"]))

        done = run("report", path)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for word in ("gpt_train_cpu", "tenure::replay", "Tensor", "handle -> Tensor", "--html"):
            self.assertIn(word, done.stdout)
        self.assertNotIn("ReplayOptions", done.stdout, "parameters make rows too wide")

    def test_needs_no_profile(self):
        done = run("report", self.made(), "--rows", 1)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout.count("handle -> Tensor"), 1)

    def test_is_of_one_replay(self):
        for more in (("--lifetimes", "explicit,gc"), ("--policy", "native,cupy"), ("--device", "host,sim:24GiB")):
            self.expect_refusal(run("replay", DATA / "tiny.csv", "--report", self.folder / "r", *more), "one")

    def test_of_a_place_where_none_can_be_is_refused(self):
        path = self.folder / "missing" / "report.json"
        self.expect_refusal(run("replay", DATA / "tiny.csv", "--report", path), str(path))

    def test_of_a_file_that_is_none_is_refused(self):
        path = self.folder / "report.json"
        self.expect_refusal(run("report", path), "report.json")
        for text in ("", "[1]", '{"format": "x"}', '{"format": "tenure report", "version": 7}'):
            path.write_text(text)
            self.expect_refusal(run("report", path), "report.json")
        path.write_text('{"format": "tenure report", "version": 1}')
        self.expect_refusal(run("report", path), "report.json", "heap_use")

    def test_as_a_page_says_what_is_missing_for_it(self):
        done = run("report", self.made(), "--html", self.folder / "page.html", PATH=str(self.folder))
        self.assertEqual(done.returncode, 2)
        self.assertIn("pip install", done.stderr)
        self.assertIn("what lives", done.stdout)


class Doctor(Case):
    def test_says_what_the_machine_offers_and_why_not(self):
        done = run("doctor")
        self.assertEqual(done.returncode, 0, done.stderr)
        for word in ("cores", "memory", "huge pages", "NUMA", "CUDA", "backend", "TENURE_NURSERY"):
            self.assertIn(word, done.stdout)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
