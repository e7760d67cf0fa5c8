"""Asks the worked queries three ways and compares the answers.

lanescope-sql over the captures, lanescope-sql over the Parquet dataset, Spark over the dataset: a master and two
workers, processes of their own on loopback.
"""

import argparse
import json
import math
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

TABLES = ["tasks", "edges", "phases", "pmu", "runs", "verdicts"]
# Runs that one run stands for in the large dataset.
MANY = 1000
# Queries of the large dataset: over every run's rows, and over the runs themselves.
OF_MANY = ["01-functions", "03-slowest", "05-cores", "09-losses", "10-changes"]


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--dataset", type=pathlib.Path, required=True)
    parser.add_argument("runs", nargs="+")
    arguments = parser.parse_args()
    queries = {path.stem: path for path in sorted(pathlib.Path("docs/queries").glob("*.sql"))}
    assert len(queries) == 10, f"{len(queries)} queries"
    many = many_runs(arguments.dataset, arguments.work / "many")

    with Cluster(arguments.work / "spark") as cluster:
        cluster.open(arguments.dataset)
        for name, query in queries.items():
            by_capture = ask(arguments.program, arguments.runs, query)
            by_dataset = ask(arguments.program, [arguments.dataset], query)
            by_spark = cluster.ask(query.read_text())
            assert by_capture["rows"], f"{name}: no rows"
            compare(name, "captures", by_capture, "dataset", by_dataset)
            compare(name, "dataset", by_dataset, "Spark", by_spark)
            print(f"{name}: {len(by_spark['rows'])} rows, the same three ways")
        cluster.open(many)
        for name in OF_MANY:
            begin = time.monotonic()
            by_dataset = ask(arguments.program, [many], queries[name])
            seconds = time.monotonic() - begin
            by_spark = cluster.ask(queries[name].read_text())
            compare(name, "dataset", by_dataset, "Spark", by_spark)
            print(f"{name}: the same over {MANY} runs and more ({seconds:.1f} s)")
        # A comparison that cannot fail proves nothing.
        by_spark["rows"][0][-1] = "something else"
        try:
            compare("damaged", "dataset", by_dataset, "Spark", by_spark)
        except AssertionError:
            return
        sys.exit("a damaged answer was taken for the same")


def many_runs(dataset, many):
    """The dataset and its smallest made-up run under a thousand other names, on eight devices of five hosts."""
    shutil.copytree(dataset, many)
    one = sorted((many / "tasks").glob("host=*/device=*/run=*/tasks.parquet"), key=lambda p: p.stat().st_size)[0]
    place = one.parent.relative_to(many / "tasks")
    for table in TABLES:
        source = dataset / table / place / f"{table}.parquet"
        for number in range(MANY):
            to = many / table / f"host=node{number % 5}" / f"device={number % 8}" / f"run=many{number}"
            to.mkdir(parents=True)
            os.link(source, to / f"{table}.parquet")
    return many


def ask(program, sources, query):
    command = [program, *map(str, sources), "--file", str(query), "--format", "json"]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    names = list(answer[0]) if answer else []
    return {"names": names, "rows": [[row[name] for name in names] for row in answer]}


def compare(name, one, rows_of_one, other, rows_of_other):
    assert rows_of_one["names"] == rows_of_other["names"] or not rows_of_one["rows"], f"{name}: columns differ"
    # Engines place null differently in an order; everything else is in it.
    rows = sorted(rows_of_one["rows"], key=order)
    others = sorted(rows_of_other["rows"], key=order)
    assert len(rows) == len(others), f"{name}: {one} has {len(rows)} rows, {other} {len(others)}"
    for row, other_row in zip(rows, others):
        same = len(row) == len(other_row) and all(map(is_same, row, other_row))
        assert same, f"{name}: {one} says {row}, {other} says {other_row}"


def order(row):
    """By what engines cannot round, then by the rest."""
    exact = [value for value in row if not isinstance(value, float)]
    rest = [value for value in row if isinstance(value, float)]
    return [(value is None, str(value)) for value in exact], rest


def is_same(one, other):
    are_numbers = isinstance(one, (int, float)) and isinstance(other, (int, float))
    if are_numbers and float in (type(one), type(other)):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return one == other


class Cluster:
    """A Spark master and two workers on loopback, and a session on them."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = []
        self.session = None

    def __enter__(self):
        import pyspark

        self.home = pathlib.Path(pyspark.__file__).parent
        self.folder.mkdir(parents=True)
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        from pyspark.sql import SparkSession

        master = self.process("master.Master", "--port", "0", "--webui-port", "0")
        url = told(master, "Starting Spark master at ")
        for number in (1, 2):
            folder = self.folder / f"worker-{number}"
            options = ["--port", "0", "--webui-port", "0", "--cores", "1", "--memory", "1g", "-d", str(folder)]
            told(self.process("worker.Worker", *options, url), "Successfully registered with master")
        os.environ["PYSPARK_PYTHON"] = sys.executable
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
        builder = SparkSession.builder.master(url).config("spark.driver.host", "127.0.0.1")
        for key, value in {
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.executor.cores": "1",
            "spark.executor.memory": "900m",
            "spark.sql.shuffle.partitions": "4",
            "spark.sql.warehouse.dir": str(self.folder / "warehouse"),
            "spark.log.level": "ERROR",
        }.items():
            builder = builder.config(key, value)
        self.session = builder.getOrCreate()
        # The driver is one of those with memory.
        status = self.session.sparkContext._jsc.sc()
        for _ in range(120):
            executors = status.getExecutorMemoryStatus().size() - 1
            if executors == 2:
                return
            time.sleep(0.5)
        raise RuntimeError(f"Spark has {executors} executors, expected 2")

    def process(self, name, *options):
        command = [str(self.home / "bin" / "spark-class"), f"org.apache.spark.deploy.{name}"]
        environment = {**os.environ, "SPARK_NO_DAEMONIZE": "1", "SPARK_LOCAL_IP": "127.0.0.1"}
        log = self.folder / f"{name}-{len(self.processes)}.log"
        with open(log, "w") as file:
            process = subprocess.Popen(
                [*command, "--host", "127.0.0.1", *options], stdout=file, stderr=file, env=environment
            )
        self.processes.append(process)
        return process, log

    def open(self, dataset):
        for table in TABLES:
            self.session.read.parquet(str(dataset / table)).createOrReplaceTempView(table)

    def ask(self, text):
        frame = self.session.sql(text)
        rows = [[plain(value) for value in row] for row in frame.collect()]
        return {"names": frame.columns, "rows": rows}

    def __exit__(self, *_):
        if self.session is not None:
            self.session.stop()
        # The workers before their master.
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


def told(process, text):
    """What follows `text` in the log of a process, once it is there."""
    process, log = process
    for _ in range(240):
        for line in log.read_text().splitlines():
            if text in line:
                return line.partition(text)[2].split()[0]
        if process.poll() is not None:
            break
        time.sleep(0.5)
    raise RuntimeError(f"{log} does not say {text!r}: {log.read_text()[-2000:]}")


def plain(value):
    """Spark has unsigned integers of 64 bits as decimals."""
    import decimal

    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


if __name__ == "__main__":
    main()
