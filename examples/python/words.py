"""Map-reduce over files: each file is counted by a task of its own, on whatever worker is free; the counts are added up."""
import collections
import pathlib

import orch


@orch.task(concurrency=2)
def count_words(task, path):
    counts = collections.Counter()
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            counts.update(word.strip(".,;:!?").lower() for word in line.split())
            if number % 1000 == 0:
                task.progress({"line": number})
    return counts


@orch.workflow()
async def word_count(ctx, input):
    paths = await ctx.step("list", lambda: sorted(map(str, pathlib.Path(input["folder"]).glob("*.txt"))))
    counts = await ctx.gather(*(ctx.step("count_words", path, timeout_seconds=60) for path in paths))
    total = sum(map(collections.Counter, counts), collections.Counter())
    return {"files": len(paths), "words": total.total(), "most": total.most_common(input.get("most", 3))}
