-- The ten slowest tasks.
SELECT t.host, t.device, t.run, t.task_id, t.function, t.core, t.token,
       (t.end_ticks - t.start_ticks) * 1e6 / r.ticks_per_second AS run_us
FROM tasks t
JOIN runs r ON r.host = t.host AND r.device = t.device AND r.run = t.run
WHERE t.end_ticks > t.start_ticks
ORDER BY run_us DESC, t.host, t.device, t.run, t.task_id, t.core, t.token
LIMIT 10
