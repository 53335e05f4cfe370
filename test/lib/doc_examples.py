#!/usr/bin/python3
"""doc_examples.py [--write] FILE...: runs the examples of documents and compares what they print with what stands there.

A block marked `psql` holds statements behind a prompt that ends in =# (its further lines are those up to one that ends in ; or in a backslash command), a
block marked `console` commands behind $, a block marked `yaml` whose first line is `# NAME.yaml` a file. All of one document share a directory, a shell and a
session of psql; a block marked `sql` is run there too and must not fail. Compared without ids, times, process numbers and the widths of columns. --write puts in what differs, so that no output is made up.
"""
import os
import re
import subprocess
import sys
import tempfile

MARK = "-- end of example --"


class Session:
    """A program that reads commands and can be told to say when it is through."""

    def __init__(self, arguments, directory):
        self.process = subprocess.Popen(arguments, cwd=directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, command, say_mark):
        self.process.stdin.write(f"{command}\n{say_mark}\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.rstrip("\n") == MARK:
                break
            lines.append(line.rstrip("\n"))
        while lines and not lines[-1].strip():
            lines.pop()
        return lines


def masked(lines):
    """What has to be the same each time."""
    result = []
    for line in lines:
        if re.fullmatch(r"[-+ ─┼]+", line):
            continue
        line = re.sub(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "UUID", line)
        line = re.sub(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d|Z)?", "TIME", line)
        line = re.sub(r"\b\d\d:\d\d:\d\d(\.\d+)?\b", "TIME", line)
        line = re.sub(r"\b\d+(\.\d+)? (ms|s)\b", "DURATION", line)
        line = re.sub(r"process id \d+", "process id PID", line)
        line = re.sub(r"\b[A-Za-z0-9_-]{40,80}\b", "LEASE", line)
        line = re.sub(r"\b[0-9a-f]{32}\b", "REQUEST", line)
        line = re.sub(r"\s+", " ", line).strip()
        if line:
            result.append(line)
    return result


def steps(kind, body):
    """The commands of a block, each with the lines that stand below it: (prompt lines, command, printed lines)."""
    prompt = re.compile(r"^\w*=# (.*)$" if kind == "psql" else r"^\$ (.*)$")
    result = []
    i = 0
    while i < len(body):
        found = prompt.match(body[i])
        if not found:
            raise SystemExit(f"a block of {kind} does not begin with a prompt: {body[i]}")
        shown, command = [body[i]], [found.group(1)]
        i += 1
        while kind == "psql" and not re.search(r";\s*$|\\g\w*.*$|^\\", command[-1]) or kind == "console" and command[-1].endswith("\\"):
            shown.append(body[i])
            command.append(body[i])
            i += 1
        printed = []
        while i < len(body) and not prompt.match(body[i]):
            printed.append(body[i])
            i += 1
        result.append((shown, "\n".join(command), printed))
    return result


def check(path, write):
    text = open(path, encoding="utf-8").read().split("\n")
    wrong = 0
    with tempfile.TemporaryDirectory() as directory:
        psql, shell = Session(["psql", "-X"], directory), Session(["bash"], directory)
        out, i = [], 0
        while i < len(text):
            out.append(text[i])
            found = re.fullmatch(r"```(psql|console|yaml|sql)", text[i])
            i += 1
            if not found:
                continue
            end = text.index("```", i)
            body, kind = text[i:end], found.group(1)
            if kind == "yaml":
                name = re.fullmatch(r"# (\S+\.yaml)", body[0])
                if name:
                    open(os.path.join(directory, name.group(1)), "w", encoding="utf-8").write("\n".join(body) + "\n")
                out += body
            elif kind == "sql":
                faults = [line for line in psql.run("\n".join(body), f"\\echo '{MARK}'") if "ERROR:" in line]
                wrong += len(faults)
                print(*(f"{path}: {fault}" for fault in faults), sep="\n", end="\n" if faults else "")
                out += body
            else:
                session, say = (psql, f"\\echo '{MARK}'") if kind == "psql" else (shell, f"echo '{MARK}'")
                for shown, command, printed in steps(kind, body):
                    got = session.run(command, say)
                    if masked(got) != masked(printed):
                        wrong += 1
                        if not write:
                            print(f"{path}: {command}\n  stands there:", *printed, "  was printed:", *got, sep="\n    ")
                        printed = [line.rstrip() for line in got]
                    out += shown + printed
            i = end
        for session in (psql, shell):
            session.process.stdin.close()
        psql.process.wait()
        shell.process.wait()
    if write:
        open(path, "w", encoding="utf-8").write("\n".join(out))
    print(f"{path}: {wrong} examples " + ("were written anew" if write else "differ"))
    return wrong == 0 or write


arguments = sys.argv[1:]
write = arguments[:1] == ["--write"]
results = [check(path, write) for path in arguments[write:]]
sys.exit(0 if all(results) else 1)
