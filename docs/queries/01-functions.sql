-- Where did the time go? Each function's share of all kernel time.
SELECT t.function,
       t.core_type,
       COUNT(*) AS tasks,
       SUM(t.end_ticks - t.start_ticks) * 1e6 / r.ticks_per_second AS total_us,
       AVG(t.end_ticks - t.start_ticks) * 1e6 / r.ticks_per_second AS mean_us,
       MAX(t.end_ticks - t.start_ticks) * 1e6 / r.ticks_per_second AS longest_us
FROM tasks t
JOIN runs r ON r.host = t.host AND r.device = t.device AND r.run = t.run
GROUP BY t.function, t.core_type, r.ticks_per_second
ORDER BY total_us DESC, t.function, t.core_type
