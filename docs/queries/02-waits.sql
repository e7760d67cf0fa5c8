-- What waited? Time from dispatch to start (head) and from end to finish (tail), where both are known.
SELECT t.function,
       COUNT(t.start_ticks - t.dispatch_ticks) AS heads,
       AVG((t.start_ticks - t.dispatch_ticks) * 1e6 / r.ticks_per_second) AS mean_head_us,
       MAX((t.start_ticks - t.dispatch_ticks) * 1e6 / r.ticks_per_second) AS longest_head_us,
       COUNT(t.finish_ticks - t.end_ticks) AS tails,
       AVG((t.finish_ticks - t.end_ticks) * 1e6 / r.ticks_per_second) AS mean_tail_us,
       MAX((t.finish_ticks - t.end_ticks) * 1e6 / r.ticks_per_second) AS longest_tail_us
FROM tasks t
JOIN runs r ON r.host = t.host AND r.device = t.device AND r.run = t.run
GROUP BY t.function
ORDER BY t.function
