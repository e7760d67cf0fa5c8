-- Can the numbers be trusted? Runs by outcome, and what was lost in them.
SELECT r.platform, v.outcome,
       COUNT(*) AS runs,
       SUM(v.total) AS records,
       SUM(v.collected) AS collected,
       SUM(v.dropped_no_buffer + v.dropped_no_arena + v.dropped_other) AS dropped,
       SUM(v.mismatched) AS mismatched,
       SUM(v.abandoned) AS abandoned
FROM runs r
LEFT JOIN verdicts v ON v.host = r.host AND v.device = r.device AND v.run = r.run
GROUP BY r.platform, v.outcome
ORDER BY r.platform, v.outcome
