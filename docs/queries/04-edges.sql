-- What waited for what? From the end of a producer to the start of its consumer, by pair of functions.
SELECT p.function AS producer,
       c.function AS consumer,
       COUNT(*) AS edges,
       AVG((c.start_ticks - p.end_ticks) * 1e6 / r.ticks_per_second) AS mean_wait_us,
       MAX((c.start_ticks - p.end_ticks) * 1e6 / r.ticks_per_second) AS longest_wait_us
FROM edges e
JOIN tasks p ON p.host = e.host AND p.device = e.device AND p.run = e.run AND p.task_id = e.producer
JOIN tasks c ON c.host = e.host AND c.device = e.device AND c.run = e.run AND c.task_id = e.consumer
JOIN runs r ON r.host = e.host AND r.device = e.device AND r.run = e.run
WHERE p.end_ticks IS NOT NULL AND c.start_ticks IS NOT NULL
GROUP BY p.function, c.function
ORDER BY mean_wait_us DESC, producer, consumer
