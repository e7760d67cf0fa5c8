-- How busy were the cores? The share of its run's time that each kind of core spent in kernels.
WITH busy AS (
    SELECT host, device, run, core, core_type,
           COUNT(*) AS tasks,
           SUM(end_ticks - start_ticks) AS busy_ticks
    FROM tasks
    GROUP BY host, device, run, core, core_type
)
SELECT b.core_type,
       COUNT(*) AS cores,
       SUM(b.tasks) AS tasks,
       MIN(b.busy_ticks * 1e2 / (r.last_ticks - r.first_ticks)) AS least_percent,
       AVG(b.busy_ticks * 1e2 / (r.last_ticks - r.first_ticks)) AS mean_percent,
       MAX(b.busy_ticks * 1e2 / (r.last_ticks - r.first_ticks)) AS most_percent
FROM busy b
JOIN runs r ON r.host = b.host AND r.device = b.device AND r.run = b.run
WHERE r.last_ticks > r.first_ticks
GROUP BY b.core_type
ORDER BY b.core_type
