-- What did the AICPU threads do? Time in each phase, and tasks it served.
SELECT p.role, p.phase,
       COUNT(*) AS stretches,
       SUM((p.end_ticks - p.start_ticks) * 1e6 / r.ticks_per_second) AS total_us,
       SUM(p.tasks) AS tasks,
       SUM(p.pop_hits) AS pop_hits,
       SUM(p.pop_misses) AS pop_misses
FROM phases p
JOIN runs r ON r.host = p.host AND r.device = p.device AND r.run = p.run
GROUP BY p.role, p.phase
ORDER BY p.role, p.phase
