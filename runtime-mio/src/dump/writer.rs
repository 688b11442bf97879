//! The thread that writes dumps, one after the other. It lives as long as it has something to do.

use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::file;
use crate::sys::process;

/// How long the end of the process waits for a dump that is being written.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// A file to be written.
pub(super) struct Job {
    pub(super) path: PathBuf,
    /// Makes the text.
    pub(super) text: Text,
}

pub(super) type Text = Box<dyn FnOnce(&mut dyn fmt::Write) -> fmt::Result + Send>;

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// A thread is at work.
    running: bool,
}

/// Hands files to the thread.
#[derive(Default)]
pub(super) struct Writer {
    queue: Arc<Mutex<Queue>>,
}

impl Writer {
    /// Has `job` written behind those that are waiting; of one file only the newest text is. So a
    /// disk that is slower than those who ask costs no memory.
    pub(super) fn push(&self, job: Job) {
        let mut queue = lock(&self.queue);
        queue.jobs.retain(|waiting| waiting.path != job.path);
        queue.jobs.push_back(job);
        if queue.running {
            return;
        }
        let shared = Arc::clone(&self.queue);
        match thread::Builder::new()
            .name("dump".to_owned())
            .spawn(move || work(&shared))
        {
            Ok(_) => queue.running = true,
            Err(error) => {
                for job in queue.jobs.drain(..) {
                    log::error!("{}: not written, no thread: {error}", job.path.display());
                }
            }
        }
    }
}

impl Drop for Writer {
    /// What was asked for before the end is written, if the disk is not too slow for that.
    fn drop(&mut self) {
        let begin = Instant::now();
        while lock(&self.queue).running && begin.elapsed() < LAST_WAIT {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn work(queue: &Mutex<Queue>) {
    process::yield_to_others();
    loop {
        let job = {
            let mut queue = lock(queue);
            let job = queue.jobs.pop_front();
            queue.running = job.is_some();
            job
        };
        let Some(Job { path, text }) = job else {
            return;
        };
        match file::write(&path, text) {
            Ok(()) => log::info!("Written: {}", path.display()),
            Err(error) => log::error!("{}: cannot be written: {error}", path.display()),
        }
    }
}

/// A thread that panicked with the lock has left nothing half done.
fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_overtaken_while_it_waits_is_not_kept() {
        let directory = std::env::temp_dir().join(format!("relevo-queue-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory");
        let writer = Writer::default();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let (begun, has_begun) = std::sync::mpsc::channel::<()>();
        writer.push(Job {
            path: directory.join("slow"),
            text: Box::new(move |_| {
                _ = begun.send(());
                _ = wait.recv();
                Ok(())
            }),
        });
        has_begun.recv().expect("the thread runs");
        for number in 0..100 {
            for name in ["a", "b"] {
                writer.push(Job {
                    path: directory.join(name),
                    text: Box::new(move |out| out.write_str(&number.to_string())),
                });
            }
        }
        assert_eq!(lock(&writer.queue).jobs.len(), 2);
        go.send(()).expect("it waits");
        drop(writer);
        for name in ["a", "b"] {
            let text = std::fs::read_to_string(directory.join(name));
            assert_eq!(text.expect("is there"), "99");
        }
        std::fs::remove_dir_all(&directory).expect("is ours");
    }

    #[test]
    fn every_job_is_done_in_its_order_and_the_last_before_the_end() {
        let directory = std::env::temp_dir().join(format!("relevo-writer-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory");
        let path = directory.join("file");
        let writer = Writer::default();
        for number in 0..20 {
            let text = format!("{number}\n");
            writer.push(Job {
                path: path.clone(),
                text: Box::new(move |out| {
                    thread::sleep(Duration::from_millis(2));
                    out.write_str(&text)
                }),
            });
        }
        drop(writer);
        let text = std::fs::read_to_string(&path).expect("is there");
        std::fs::remove_dir_all(&directory).expect("is ours");
        assert_eq!(text, "19\n");
    }
}
