"""The conformance suite of executors catches what it is there to catch."""

import subprocess
import sys
from dataclasses import replace

import pytest
from tests.testing.planted import broken_rules

from nasaudit.running.executors import attempt
from nasaudit.running.executors.base import Died, Finished, Halted, Printed, Progressed, Started
from nasaudit.running.executors.serial import Serial
from nasaudit.testing.executors import ExecutorConformance

ONCE = "every_job_starts_once_ends_once_and_leaves_its_record"
ORDER = "a_job_is_announced_before_it_reports_and_ends"
FAILS = "a_job_that_fails_is_a_record_and_the_others_go_on"
DISK = "a_full_disk_stops_the_run_and_is_no_record"
SLOTS = "there_are_no_more_jobs_at_once_than_slots"
IDLE = "waiting_for_nothing_ends_in_time"
LOG = "what_a_job_prints_is_told_while_it_runs_and_at_its_end"
DEATH = "a_dead_worker_is_told_with_the_reason_and_its_slot_is_free_again"
CLOSE = "closing_leaves_no_process_behind_and_waits_for_no_job"


class Acting:
    """An executor that plays a worker process, which is killed or hangs, with one rule broken."""

    def __init__(self, context, devices, fault):
        self.fault, self.slots = fault, len(devices)
        self.serial, self.waiting, self.hanging, self.actors = Serial(context), [], 0, []
        self.log = ""

    def submit(self, job):
        if len(self.waiting) + self.hanging >= self.slots and self.fault != "no limit":
            raise RuntimeError("no free slot")
        self.waiting.append(job)

    def pump(self, handle, timeout):
        self.handle = handle
        if self.fault == "babbles":
            handle(Progressed("nobody", 0.0, ""))
        while self.waiting:
            job = self.waiting.pop(0)
            self.actors.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]))
            if job.task.trouble == "hang":
                self.hanging += 1
                self.say(Progressed(job.digest, 0.5, str(self.actors[-1].pid)))
            elif job.task.trouble == "die":
                self.say(Died(job.digest, "" if self.fault == "no reason" else "killed"))
            else:
                self.serial.submit(job)
                self.serial.pump(lambda event: self.say(self.changed(event)), timeout)

    def changed(self, event):
        if isinstance(event, Progressed):
            done = 7.0 if self.fault == "too far" else event.done
            event = replace(event, text=str(self.actors[-1].pid), done=done)
        if isinstance(event, Finished) and self.fault == "wrong record":
            event = replace(event, record=event.record.model_copy(update={"digest": "another"}))
        if isinstance(event, Finished) and self.fault == "forgets the log":
            event = replace(event, words="")
        if isinstance(event, Finished) and self.fault == "mixes logs":
            self.log += event.words
            event = replace(event, words=self.log)
        if isinstance(event, Finished) and self.fault == "hides failures":
            event = replace(event, record=event.record.model_copy(update={"state": "ok", "problem": None}))
        if isinstance(event, Halted) and self.fault == "full disk dies":
            event = Died(event.digest, "full disk")
        return event

    def say(self, event):
        if self.fault == "silent" and isinstance(event, Progressed):
            return
        if self.fault == "says nothing while it runs" and isinstance(event, Printed):
            return
        if self.fault == "starts late" and isinstance(event, Started):
            return
        self.handle(event)
        if self.fault == "starts twice" and isinstance(event, Started):
            self.handle(event)
        if self.fault == "reports after" and isinstance(event, Finished):
            self.handle(Progressed(event.digest, 1.0, str(self.actors[-1].pid)))

    def close(self):
        for actor in self.actors:
            if self.fault != "leaves processes":
                actor.kill()
                actor.wait()
        self.serial.close()


@pytest.mark.parametrize(
    ("fault", "rules"),
    [
        ("none", set()),
        ("says nothing while it runs", {LOG}),
        ("forgets the log", {LOG}),
        ("mixes logs", {LOG}),
        ("starts twice", {ONCE, ORDER}),
        ("starts late", {ONCE, ORDER, LOG}),
        ("silent", {ORDER, CLOSE}),
        ("too far", {ORDER}),
        ("reports after", {ORDER, LOG}),
        ("wrong record", {ONCE}),
        ("hides failures", {FAILS}),
        ("full disk dies", {DISK}),
        ("no limit", {SLOTS}),
        ("babbles", {IDLE, ORDER, CLOSE}),
        ("no reason", {DEATH}),
        ("leaves processes", {CLOSE}),
    ],
)
def test_the_suite_of_executors_catches(fault, rules, tmp_path_factory, monkeypatch):
    monkeypatch.setattr(attempt, "LOG_EVERY", 0.02)
    made = []

    class Suite(ExecutorConformance):
        patience = 2.0

        def executor(self, context, devices):
            made.append(Acting(context, devices, fault))
            return made[-1]

    try:
        assert broken_rules(Suite(), tmp_path=lambda: tmp_path_factory.mktemp("run")) == rules
    finally:
        for actor in (actor for each in made for actor in each.actors):
            actor.kill()
            actor.wait()
