#!/usr/bin/python3
"""Real workflow graphs (WfFormat 1.5 and reduced-1) as our definitions, and the check that a run of one went by its edges.

wfinstances.py convert FILE [--command SCALE]    the definition as JSON: every task the handler `noop`, or a sleep of runtime x SCALE
wfinstances.py run [--max-tasks N] FILE...       registers and triggers them all at once on the server of the environment, waits, and checks each run
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time

OUR_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+:-]{0,127}")


def read(path):
    """The tasks of a file as [(id, name, runtime or None, parents)]."""
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    if document.get("format") == "reduced-1":
        return [(task["id"], task["name"], task["runtime"], task["parents"]) for task in document["tasks"]]
    workflow = document["workflow"]
    runtimes = {task["id"]: task["runtimeInSeconds"] for task in workflow["execution"]["tasks"]}
    tasks = workflow["specification"]["tasks"]
    forth = {(parent, task["id"]) for task in tasks for parent in task["parents"]}
    back = {(task["id"], child) for task in tasks for child in task["children"]}
    if forth != back:
        raise ValueError(f"{path}: parents and children are not the same edges")
    return [(task["id"], task["name"], runtimes.get(task["id"]), task["parents"]) for task in tasks]


def convert(path, scale=None):
    """Our definition of a file. Where the id rule refuses an id, the tasks are numbered and keep theirs as the name."""
    tasks = read(path)
    if all(OUR_ID.fullmatch(task[0]) for task in tasks):
        ids = {task[0]: task[0] for task in tasks}
    else:
        ids = {task[0]: f"t{number}" for number, task in enumerate(tasks)}
    definition = {"id": re.sub(r"\W", "_", os.path.basename(path).split(".json")[0]), "tasks": {}}
    for identity, name, runtime, parents in tasks:
        task = {"name": name if ids[identity] == identity else identity, "dependencies": sorted({ids[parent] for parent in parents})}
        if scale is None:
            task["handler"] = "noop"
        else:
            task["command"] = ["sleep", f"{(runtime or 0) * scale:.3f}"]
        definition["tasks"][ids[identity]] = task
    return definition


def sql(query, patient=False):
    """The answer as text; `patient` asks again for a minute where there is no server to answer."""
    until = time.monotonic() + 60
    while True:
        done = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", query], capture_output=True, text=True)
        if done.returncode != 2 or not patient or time.monotonic() > until:
            break
        time.sleep(0.2)
    if done.returncode != 0:
        sys.exit(f"{query}\n{done.stderr}")
    return done.stdout.strip()


# Each row is one thing that is wrong with the run. An event's pos is the order of the feed: a child that started before its parent's success
# was recorded has a smaller one.
CHECK = """
with task as materialized (select task_id, state, dependencies from orch.tasks where run_id = '{run}'),
     event as materialized (select pos, task_id, kind from orch.events where run_id = '{run}'),
     success as materialized (select task_id, count(*) as times, min(pos) as pos from event where kind = 'task_succeeded' group by task_id),
     start as materialized (select task_id, min(pos) as pos from event where kind = 'task_started' group by task_id),
     edge as materialized (select task_id, unnest(dependencies) as parent from task)
select 'run is ' || state from orch.runs where run_id = '{run}' and state <> 'succeeded'
union all select task_id || ' is ' || state from task where state <> 'succeeded'
union all select task_id || ' succeeded ' || coalesce(times, 0) || ' times' from task left join success using (task_id) where times is distinct from 1
union all select task_id || ' never started' from task left join start using (task_id) where start.pos is null
union all select edge.task_id || ' started before ' || parent || ' had ended'
    from edge join start on start.task_id = edge.task_id join success on success.task_id = edge.parent where start.pos < success.pos
union all select count(*) || ' tasks, not {tasks}' from task having count(*) <> {tasks}
union all select count(*) || ' edges, not {edges}' from edge having count(*) <> {edges}
"""


def table_of(folder):
    """Tasks and edges of each file by the table of the folder's README."""
    rows = re.findall(r"^\| (\S+\.json) \| (\d+) \| (\d+) \|", open(os.path.join(folder, "README.md"), encoding="utf-8").read(), re.M)
    return {name: (int(tasks), int(edges)) for name, tasks, edges in rows}


def run(paths, max_tasks, timeout):
    runs = []
    for path in paths:
        tasks, edges = table_of(os.path.dirname(path))[os.path.basename(path)]
        if tasks > max_tasks:
            continue
        definition = convert(path)
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            # What a test breaks is not waited for longer than need be.
            json.dump(definition | {"defaults": {"retry_delay_seconds": 0.2, "retry_jitter": 0}}, file)
            file.flush()
            subprocess.run(["orch", "register", file.name], check=True, stdout=subprocess.DEVNULL)
        runs.append([definition["id"], tasks, edges])
    began = time.monotonic()
    for entry in runs:
        entry.append(sql(f"select orch.trigger('{entry[0]}')"))
    while sql("select count(*) from orch.runs where state not in ('succeeded', 'failed', 'timed_out', 'cancelled')", patient=True) != "0":
        if time.monotonic() - began > timeout:
            sys.exit("still open after %d s:\n%s" % (timeout, sql("select workflow, t.state, count(*) from orch.tasks t join orch.runs r using (run_id) group by 1, 2 order by 1, 2")))
        time.sleep(0.2)
    seconds = time.monotonic() - began
    wrong = 0
    for name, tasks, edges, run_id in runs:
        problems = sql(CHECK.format(run=run_id, tasks=tasks, edges=edges), patient=True).splitlines()
        print(f"{name}: {tasks} tasks, {edges} edges: {'by its edges' if not problems else 'WRONG'}")
        for problem in problems[:10]:
            print(f"    {problem}")
        wrong += len(problems)
    total = sum(tasks for _, tasks, _, _ in runs)
    print(f"{len(runs)} graphs, {total} tasks in {seconds:.1f} s, {total / seconds:.0f} tasks/s")
    sys.exit(1 if wrong or not runs else 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="verb", required=True)
    one = commands.add_parser("convert")
    one.add_argument("file")
    one.add_argument("--command", type=float, metavar="SCALE")
    many = commands.add_parser("run")
    many.add_argument("--max-tasks", type=int, default=1000000)
    many.add_argument("--timeout", type=float, default=240)
    many.add_argument("files", nargs="+")
    arguments = parser.parse_args()
    if arguments.verb == "convert":
        json.dump(convert(arguments.file, arguments.command), sys.stdout, indent=1)
    else:
        run(arguments.files, arguments.max_tasks, arguments.timeout)


if __name__ == "__main__":
    main()
