-- Where did a core stand still? The ten longest times between two tasks of one core.
WITH rows_of_cores AS (
    SELECT host, device, run, core, task_id, token, function, start_ticks, end_ticks,
           LAG(end_ticks) OVER (
               PARTITION BY host, device, run, core ORDER BY start_ticks, token
           ) AS idle_since_ticks
    FROM tasks
    WHERE start_ticks IS NOT NULL AND end_ticks IS NOT NULL
)
SELECT g.host, g.device, g.run, g.core, g.task_id, g.function,
       (g.start_ticks - g.idle_since_ticks) * 1e6 / r.ticks_per_second AS gap_us
FROM rows_of_cores g
JOIN runs r ON r.host = g.host AND r.device = g.device AND r.run = g.run
WHERE g.start_ticks > g.idle_since_ticks
ORDER BY gap_us DESC, g.host, g.device, g.run, g.core, g.task_id, g.token
LIMIT 10
