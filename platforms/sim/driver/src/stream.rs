//! A stream as the driver sees it: tasks sent, tasks done.

use crate::codes::{Refusal, refuse};

/// The device process runs the tasks; the driver counts.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Its number on the wire.
    pub(crate) id: u32,
    sent: u64,
    done: u64,
    failure: Option<Refusal>,
}

impl Stream {
    pub(crate) fn new(id: u32) -> Self {
        Self {
            id,
            sent: 0,
            done: 0,
            failure: None,
        }
    }

    /// The sequence number of the next task.
    pub(crate) fn next_task(&self) -> u64 {
        self.sent + 1
    }

    /// The next task is going to be sent.
    pub(crate) fn begin_task(&mut self) {
        self.sent += 1;
    }

    /// A task has ended; the first failure stays. Returns it when it is this one.
    pub(crate) fn end_task(
        &mut self,
        task: u64,
        code: i32,
        note: Option<String>,
    ) -> Option<Refusal> {
        self.done = self.done.max(task.min(self.sent));
        if code == 0 || self.failure.is_some() {
            return None;
        }
        let note = note.unwrap_or_else(|| "no reason given".to_owned());
        let text = format_args!("task {task} of stream {} failed: {note}", self.id).to_string();
        self.failure = Some(refuse(code, text));
        self.failure.clone()
    }

    /// Tasks that have not ended.
    pub(crate) fn pending(&self) -> u64 {
        self.sent - self.done
    }

    /// The numbers of the tasks that have not ended.
    pub(crate) fn pending_tasks(&self) -> impl Iterator<Item = u64> {
        self.done + 1..=self.sent
    }

    /// The first failure of a task.
    pub(crate) fn failure(&self) -> Option<&Refusal> {
        self.failure.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_stays() {
        let mut stream = Stream::new(4);
        for task in 1..=3 {
            assert_eq!(stream.next_task(), task);
            stream.begin_task();
        }
        assert_eq!(stream.end_task(1, 0, None), None);
        let first = stream.end_task(2, 507_018, Some("why".to_owned())).unwrap();
        assert_eq!(first.text, "task 2 of stream 4 failed: why");
        assert_eq!(stream.pending(), 1);
        assert_eq!(stream.end_task(3, 507_015, None), None);
        assert_eq!((stream.pending(), stream.failure()), (0, Some(&first)));
    }

    #[test]
    fn an_answer_nobody_waits_for_does_no_harm() {
        let mut stream = Stream::new(0);
        assert_eq!(stream.end_task(9, 0, None), None);
        assert_eq!(stream.pending(), 0);
        stream.begin_task();
        assert_eq!(stream.pending(), 1);
    }
}
