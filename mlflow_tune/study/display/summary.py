"""How a study ended, for people: its state, its best, where it is seen, and how to go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mlflow_tune.study.display.tables import best_view, recommended_lines, state_text
from mlflow_tune.study.handle import StudyHandle
from mlflow_tune.text import one_line, tally
from mlflow_tune.text.console import print_whole
from mlflow_tune.tracking import has_server, ui_command
from mlflow_tune.trial import Trial, searched

if TYPE_CHECKING:
    from rich.console import Console

_ENDED = {"timeout": "failed by timeout", "pruned": "stopped by a rule"}


def print_summary(console: Console, study: StudyHandle, trials: Sequence[Trial], ran: bool = True) -> None:
    """Print how the study ended, its best five, and last the command that people want next.

    `ran` is whether any trial was started.
    """
    assert study.ending is not None
    console.print(f"\n{study.spec.name} is {state_text(study.ending.state, _why(study.ending.why, trials, ran))}")
    finished = study.ending.state == "finished"
    done = finished or study.ending.as_asked
    for line in _remarks(study, trials, ran) if done else ():
        console.print(line)
    if (board := best_view(study.spec, trials)) is not None:
        console.print(board)
    for line in recommended_lines(study.spec, study.spec.recommended(trials)) if done else ():
        console.print(line)
    if done or has_server(study.client.uri):
        print_links(console, study)
    if not finished:
        _print_resume(console, study)


def nothing_found(trials: Sequence[Trial]) -> bool:
    """Whether there are trials, and none has a value: nothing has been found, whatever the study's state."""
    return bool(trials) and all(trial.value is None for trial in trials)


def _why(why: str, trials: Sequence[Trial], told: bool) -> str:
    """Return why the study ended, without the reason of its last failure where the line of that trial has `told` it."""
    reasons = (trial.reason for trial in trials if told and trial.reason and why.endswith(f": {trial.reason}"))
    return next((why.removesuffix(f": {reason}") for reason in reasons), why)


def no_value_words(metric: str, trials: Sequence[Trial], told: bool = False) -> str:
    """Return in one line that no trial has a value, how they ended, and why the last failed unless that is `told`."""
    ended = sorted((trial for trial in trials if trial.done), key=lambda trial: (trial.end_time or 0, trial.number))
    failed = [trial for trial in ended if trial.outcome != "pruned"] or ended
    how = tally(_ENDED.get(str(trial.outcome), str(trial.outcome)) for trial in ended)
    last = one_line(failed[-1].reason) if failed and not told else ""
    words = [f"no trial has a value of {metric!r}", ", the last: ".join(filter(None, (how, last)))]
    return "; ".join(filter(None, words))


def _remarks(study: StudyHandle, trials: Sequence[Trial], ran: bool) -> list[str]:
    """Return what else a person must know of a study that did what was asked for."""
    assert study.ending is not None
    spec, budget = study.spec, study.spec.search_trials
    failed = sum(trial.outcome in ("failed", "timeout") for trial in trials)
    found = [no_value_words(spec.metric, trials, told=ran)] if nothing_found(trials) else []
    if not ran and budget is not None and budget <= len(searched(trials)) and not study.ending.as_asked:
        more = 'resume("+N")' if spec.run.objective else "--trials +N"
        found.append(f"nothing to do: the budget of {spec.stop.trials} is used; give {more}")
    elif not ran:
        found.append(f"nothing to do: {study.ending.why}")
    if not ran and failed:
        retry = "resume(retry_failed=True)" if spec.run.objective else "--retry-failed"
        found.append(f"{failed} failed: {retry} runs such trials again")
    return found


def failure_words(study: StudyHandle, trials: Sequence[Trial]) -> str:
    """Return why a study that has ended failed, with the first failure and what to do; empty when it did not."""
    ending, spec = study.ending, study.spec
    assert ending is not None
    if ending.state != "aborted" and not (ending.state == "finished" and nothing_found(trials)):
        return ""
    failed = next((trial for trial in trials if trial.outcome in ("failed", "timeout")), None)
    odd = next((trial for trial in trials if trial.outcome == "not-finite"), None)
    lines = [f"the study {spec.name!r} is {state_text(ending.state, ending.why)}"]
    if ending.state == "finished":
        lines[0] += f", and no trial has a value of {spec.metric!r}"
    if failed is not None:
        lines.append(f"trial {failed.number} failed first: {one_line(failed.reason)}")
        lines.append(f"Fix the code, then run the failed trials again by: {study.retry_command}")
    elif odd is not None:
        lines.append(f"trial {odd.number} ended {odd.outcome}: {one_line(odd.reason)}")
        lines.append("Change the code or the space, and run it under another name.")
    return "\n".join(lines)


def _print_resume(console: Console, study: StudyHandle) -> None:
    if study.ending is None or study.ending.state != "aborted":
        console.print("Go on with it by:")
        print_whole(console, study.resume_now())
        return
    if study.spec.run.objective is None:
        console.print(
            "If the study file itself was wrong, fix it and run it under another name (--name): a resume keeps the "
            "definition that is stored."
        )
    console.print("If the code was wrong, fix it, and run the failed trials again by:")
    print_whole(console, study.resume_now(retry_failed=True))


def print_links(console: Console, study: StudyHandle) -> None:
    """Print the command that shows the study in MLflow's UI, for a local store also that which starts all of it."""
    console.print("Compare the trials in MLflow by:")
    if has_server(study.client.uri):
        print_whole(console, f"{study.command('open')} --browser")
    else:
        print_whole(console, study.command("ui"))
        console.print("or start all of its UI by:")
        print_whole(console, ui_command(study.client.uri))


def print_pointer(console: Console, study: StudyHandle, links: Mapping[str, str]) -> None:
    """Print where a study that begins is seen: the link to its charts, without a server the command that starts one."""
    seen = f"in MLflow: {links['charts']}" if "charts" in links else f"watch it: {study.command('ui')}"
    print_whole(console, seen)
