//! A bounded queue from many threads to one. The standard one takes the memory for all its places when it is made (half
//! a MiB for some of ours, a good part of what a small node may have); this one has it only for what waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvError, RecvTimeoutError};
use std::time::Duration;

/// The end that puts in; cheap to clone.
pub(crate) struct QueueSender<T> {
    items: mpsc::Sender<T>,
    waiting: Arc<AtomicUsize>,
    max: usize,
}

/// The end that takes out.
pub(crate) struct QueueReceiver<T> {
    items: mpsc::Receiver<T>,
    waiting: Arc<AtomicUsize>,
}

/// A queue in which at most `max` items wait.
pub(crate) fn queue<T>(max: usize) -> (QueueSender<T>, QueueReceiver<T>) {
    let (to, from) = mpsc::channel();
    let waiting = Arc::default();
    (QueueSender { items: to, waiting: Arc::clone(&waiting), max }, QueueReceiver { items: from, waiting })
}

impl<T> QueueSender<T> {
    /// Puts an item in; gives it back when the queue is full or nobody takes any more.
    pub(crate) fn try_send(&self, item: T) -> Result<(), T> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.max {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(item);
        }
        self.items.send(item).map_err(|unsent| {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            unsent.0
        })
    }

    /// Puts in an item that has a place however many wait: the last one, that ends the other thread.
    pub(crate) fn send_last(&self, item: T) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        // An error means that the other thread has ended already.
        let _ = self.items.send(item);
    }

    /// How many items wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

impl<T> Clone for QueueSender<T> {
    fn clone(&self) -> Self {
        Self { items: self.items.clone(), waiting: Arc::clone(&self.waiting), max: self.max }
    }
}

impl<T> QueueReceiver<T> {
    /// Waits for the next item.
    pub(crate) fn recv(&self) -> Result<T, RecvError> {
        self.items.recv().inspect(|_| self.took())
    }

    /// Waits for the next item, for so long at most.
    pub(crate) fn recv_timeout(&self, wait: Duration) -> Result<T, RecvTimeoutError> {
        self.items.recv_timeout(wait).inspect(|_| self.took())
    }

    fn took(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_so_many_and_gives_the_next_one_back() {
        let (sender, receiver) = queue(2);
        assert_eq!((sender.try_send(1), sender.try_send(2), sender.try_send(3)), (Ok(()), Ok(()), Err(3)));
        assert_eq!(sender.len(), 2);
        sender.send_last(4);
        assert_eq!((receiver.recv(), receiver.recv()), (Ok(1), Ok(2)));
        assert_eq!((receiver.recv_timeout(Duration::ZERO), sender.len()), (Ok(4), 0));
        assert_eq!(receiver.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
        assert_eq!(sender.clone().try_send(5), Ok(()), "there is room again");
    }

    #[test]
    fn nobody_at_one_end_is_seen_at_the_other() {
        let (sender, receiver) = queue(2);
        drop(receiver);
        assert_eq!((sender.try_send(1), sender.len()), (Err(1), 0));
        let (sender, receiver) = queue::<u8>(2);
        drop(sender);
        assert_eq!(receiver.recv(), Err(RecvError));
    }
}
