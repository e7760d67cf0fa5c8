//! Tasks that depend on themselves: the circles of a graph, and an order in which they stand behind each
//! other.

/// What stands for a node that was not reached.
const UNREACHED: u32 = 0;

/// The groups of nodes that lead to one another, each before every group that leads to it: most have one
/// node, the others are circles. Only edges among `nodes` count.
pub(crate) fn groups<'a, S: Iterator<Item = u32>>(
    nodes: &[u32],
    node_count: usize,
    successors: impl Fn(u32) -> S + 'a,
) -> Vec<Vec<u32>> {
    let mut search = Search {
        // Nodes that do not take part count as done.
        reached: vec![u32::MAX; node_count],
        ..Search::default()
    };
    for &node in nodes {
        search.reached[node as usize] = UNREACHED;
    }
    for &node in nodes {
        if search.reached[node as usize] == UNREACHED {
            search.from(node, &successors);
        }
    }
    search.groups
}

#[derive(Default)]
struct Search {
    /// When each node was reached, from 1; the last number of all once its group is known.
    reached: Vec<u32>,
    count: u32,
    /// Reached, and of no group yet.
    open: Vec<u32>,
    groups: Vec<Vec<u32>>,
}

/// A node on the way from where the search began.
struct Step<S> {
    node: u32,
    /// The earliest node that was reached from it.
    earliest: u32,
    left: S,
}

impl Search {
    /// Follows edges as far as they lead, without recursion: chains are as long as there are tasks.
    fn from<S: Iterator<Item = u32>>(&mut self, node: u32, successors: &impl Fn(u32) -> S) {
        let mut way = vec![self.step(node, successors)];
        while let Some(step) = way.last_mut() {
            if let Some(next) = step.left.next() {
                match self.reached[next as usize] {
                    UNREACHED => way.push(self.step(next, successors)),
                    at => step.earliest = step.earliest.min(at),
                }
                continue;
            }
            let (node, earliest) = (step.node, step.earliest);
            way.pop();
            if let Some(before) = way.last_mut() {
                before.earliest = before.earliest.min(earliest);
            }
            if earliest == self.reached[node as usize] {
                self.close(node);
            }
        }
    }

    fn step<S>(&mut self, node: u32, successors: &impl Fn(u32) -> S) -> Step<S> {
        self.count += 1;
        self.reached[node as usize] = self.count;
        self.open.push(node);
        Step {
            node,
            earliest: self.count,
            left: successors(node),
        }
    }

    /// Nothing reached from `node` leads to before it: it and what is open behind it are a group.
    fn close(&mut self, node: u32) {
        let place = self.open.iter().rposition(|&open| open == node);
        let group = self
            .open
            .split_off(place.expect("a node stays open until its group is known"));
        for &member in &group {
            self.reached[member as usize] = u32::MAX;
        }
        self.groups.push(group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_groups_and_come_behind_what_they_lead_to() {
        // 0 to 1, 1 and 2 in a circle, 2 to 3, 3 to itself; 4 takes no part.
        let edges: [&[u32]; 5] = [&[1, 4], &[2], &[1, 3], &[3], &[0]];
        let groups = groups(&[0, 1, 2, 3], 5, |node| {
            edges[node as usize].iter().copied()
        });
        let groups: Vec<Vec<u32>> = groups
            .into_iter()
            .map(|mut group| {
                group.sort_unstable();
                group
            })
            .collect();
        assert_eq!(groups, [vec![3], vec![1, 2], vec![0]]);
    }

    #[test]
    fn a_long_circle_needs_no_stack() {
        let count = 1_000_000;
        let nodes: Vec<u32> = (0..count).collect();
        let next = |node: u32| std::iter::once((node + 1) % count);
        let groups = groups(&nodes, nodes.len(), next);
        assert_eq!(groups.len(), 1);
        assert_eq!(groups[0].len(), nodes.len());
    }
}
