-- What did the hardware counters say? Each counter beside the cycles of the tasks it was read for.
SELECT function, event, counter,
       COUNT(*) AS tasks,
       SUM(value) AS total,
       SUM(value) * 1e2 / SUM(total_cycles) AS percent_of_cycles
FROM pmu
GROUP BY function, event, counter
ORDER BY function, event, counter
