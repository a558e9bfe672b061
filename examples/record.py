# The record in pandas: open this file as a notebook (VS Code and Jupytext know `# %%`), or run it in a project:
#
#     python examples/record.py

# %% The record of the project that this folder lies in, and the model that was run last; or name another
from pipeline.record import Record

record = Record.of(".")
model = record.runs()["model"].iloc[-1]  # there is one after `assay run`
print(record.runs(model)[["run", "stage", "suite", "started", "seconds"]].to_string(index=False))

# %% Scores with their 95 % intervals: the newest of each suite
metrics = record.metrics(model).drop_duplicates(["suite", "metric"], keep="last")
print(metrics[["suite", "metric", "value", "low", "high", "n"]].to_string(index=False))

# %% Which items of an eval were wrong, or could not be judged? `detail` is JSON
items = record.items(model)
wrong = items[items["score"] != 1]
print(wrong.groupby("suite").size().reset_index(name="not right").to_string(index=False))

# %% Which grades did the answers of each group get?
print(record.outcomes(model).groupby(["group", "grade"]).size().reset_index(name="answers").to_string(index=False))

# %% Speeds that were measured; those that could not be have no value, but a reason
speeds = record.bench(model).query("metric == 'decode_tok_s'")
print(speeds[["started", "layer", "test", "value", "low", "high", "reason"]].to_string(index=False))

# %% One metric over all runs; `level` counts up where it changed for good
history = record.history(model, "bench.decode_tok_s", hardware=None)
print(history.groupby(["layer", "test", "level"])["value"].agg(["count", "median"]).to_string())

# %% And all else in SQL
print(record.sql("SELECT model, stage, count(*) AS runs FROM runs GROUP BY ALL ORDER BY ALL").to_string(index=False))
