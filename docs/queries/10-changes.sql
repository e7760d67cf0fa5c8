-- What differs from run to run? The makespan of every run beside the median of its workload.
WITH spans AS (
    SELECT host, device, run, platform, tasks,
           COALESCE(workload, '') AS workload,
           (last_ticks - first_ticks) * 1e6 / ticks_per_second AS makespan_us
    FROM runs
    WHERE last_ticks > first_ticks
), medians AS (
    SELECT platform, workload, tasks, MEDIAN(makespan_us) AS median_us
    FROM spans
    GROUP BY platform, workload, tasks
)
SELECT s.host, s.device, s.run, s.platform, s.tasks, s.makespan_us,
       (s.makespan_us / m.median_us - 1) * 1e2 AS percent_off_median
FROM spans s
JOIN medians m ON m.platform = s.platform AND m.workload = s.workload AND m.tasks = s.tasks
ORDER BY percent_off_median DESC, s.host, s.device, s.run
LIMIT 10
