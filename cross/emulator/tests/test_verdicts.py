"""The comparisons that verdicts rest on have to fail when something is wrong."""

import io
import json
import unittest

from emulator import scenarios, waiting
from emulator.bench import Printer
from emulator.errors import Failed
from emulator.scenarios import plug, power_cut
from emulator.sink import compare


def row(seq, value="21.5", err="", journal="aa", chip="tmp105-48"):
    """A row of an export."""
    return {
        "node": "pi", "chip": chip, "quantity": "temperature", "unit": "Cel", "time": "1970-01-01T00:00:09Z",
        "value": value, "err": err, "journal": journal, "seq": str(seq),
    }  # fmt: skip


class Comparison(unittest.TestCase):
    def test_all_there_once(self):
        journal = [row(1), row(2, "", "nack"), row(3)]
        newer = [*journal, row(4), row(1, journal="bb")]
        self.assertEqual(compare(journal, newer, "pi"), 3)

    def test_what_is_wrong_is_seen(self):
        journal = [row(1), row(2), row(3)]
        wrong = {
            "not in the sink": (journal, journal[:2]),
            "twice": (journal, [*journal, row(2)]),
            "differ": (journal, [row(1), row(2, "0", ""), row(3)]),
            "holes": ([row(1), row(3)], journal),
            "empty": ([], journal),
        }
        for word, (own, held) in wrong.items():
            with self.assertRaisesRegex(Failed, word):
                compare(own, held, "pi")

    def test_a_zero_for_an_err_is_seen(self):
        with self.assertRaisesRegex(Failed, "differ"):
            compare([row(1, "", "nack")], [row(1, "0", "")], "pi")


class Promises(unittest.TestCase):
    def test_a_reading_that_was_promised_and_is_gone(self):
        power_cut.check_promises({("aa", 1): 3.0}, {("aa", 1): 3.0, ("aa", 2): 4.0})
        with self.assertRaisesRegex(Failed, "gone"):
            power_cut.check_promises({("aa", 1): 3.0, ("aa", 2): 4.0}, {("aa", 1): 3.0})
        with self.assertRaisesRegex(Failed, "changed"):
            power_cut.check_promises({("aa", 1): 3.0}, {("aa", 1): 4.0})


class Plugging(unittest.TestCase):
    def test_the_newest_two_of_each_chip_count(self):
        says = plug.Watch.says
        rows = [row(1, "", "timeout"), row(2, "", "absent"), row(3, "", "absent")]
        self.assertEqual(says(rows, {"tmp105-48": "absent"}), "tmp105-48 absent after timeout")
        self.assertIsNone(says(rows, {"tmp105-48": "nack"}))
        self.assertIsNone(says(rows, {"tmp105-48": "absent", "tmp105-49": 3.0}))
        self.assertIsNone(says(rows[:2], {"tmp105-48": "absent"}))

    def test_a_failure_tells_the_newest_readings_of_each_chip(self):
        rows = [row(1, "19.25"), row(2, "", "timeout"), row(3, "", "absent")]
        self.assertEqual(plug.newest(rows, ("tmp105-48", "tmp105-49"), 2), "tmp105-48 timeout absent; tmp105-49 none")


class Words(unittest.TestCase):
    def test_scenarios_are_found_by_name_and_number(self):
        self.assertIs(scenarios.by_name("1"), scenarios.ALL[0])
        self.assertIs(scenarios.by_name(plug.NAME), plug)
        self.assertIsNone(scenarios.by_name("0"))
        self.assertEqual(len({scenario.NAME for scenario in scenarios.ALL}), len(scenarios.ALL))

    def test_machines_get_json(self):
        out = io.StringIO()
        Printer(True, out).verdict("bus", "boots", True, "yes", 1.234)
        self.assertEqual(
            json.loads(out.getvalue()),
            {"scenario": "bus", "verdict": "boots", "ok": True, "seen": "yes", "seconds": 1.23},
        )

    def test_waiting_ends(self):
        self.assertEqual(waiting.until(iter([None, 0, "yes"]).__next__, 5, "it", every_s=0.001), "yes")
        with self.assertRaisesRegex(Failed, "for the moon$"):
            waiting.until(lambda: None, 0.01, "the moon", every_s=0.001)
        with self.assertRaisesRegex(Failed, "the last look gave 0"):
            waiting.until(lambda: 0, 0.01, "the moon", every_s=0.001)
