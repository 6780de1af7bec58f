"""What a run says of itself: what it is made of as it starts, where it stands as it ends, and what failed."""

from ethos.plan_command import note_run, refuse_missing_keys, refuse_over_budget
from ethos.run_status import failure, note_command, run_status, summary, write_plan

note_run(workflow, settings=settings, constitutions=constitutions, drifted_to=drifted_to)


onstart:
    try:
        refuse_missing_keys()
        refuse_over_budget()
    except BadInput as error:
        refuse(error)
    write_plan(settings.run, workflow.dag.jobs)
    note_command(settings.run)


onsuccess:
    print(f"{settings.run}: {summary(run_status(settings.run))}", file=sys.stderr)


onerror:
    for job in workflow.scheduler.failed:
        print(f"\n{failure(job)}", file=sys.stderr)
    print(f"\n{settings.run}: {summary(run_status(settings.run))}", file=sys.stderr)
