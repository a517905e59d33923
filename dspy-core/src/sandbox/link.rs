//! The way to what runs the code of a session.

use std::sync::mpsc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{
    CodeError, CodeErrorKind,
    launch::STACK,
    process::Process,
    serve::{Port, serve},
    wire::{Order, Report},
};

/// The way to a worker, or to a thread of this process.
pub(super) enum Link {
    Process(Box<Process>),
    Thread { orders: mpsc::Sender<Order>, reports: UnboundedReceiver<Report> },
}

impl Link {
    /// Runs code in this process.
    pub(super) fn thread() -> Result<Self, CodeError> {
        let (orders, ordered) = mpsc::channel();
        let (report, reports) = unbounded_channel();
        let mut port = Channels { orders: ordered, reports: report };
        let thread = std::thread::Builder::new().name("sandbox".into()).stack_size(STACK);
        // A panic ends the thread, and its end of the channels with it.
        match thread.spawn(move || serve(&mut port, |_, _| {})) {
            Ok(_) => Ok(Self::Thread { orders, reports }),
            Err(error) => {
                Err(CodeError::new(CodeErrorKind::Unavailable, format!("no thread for the code: {error}")))
            }
        }
    }

    /// Sends an order; whether it was taken.
    pub(super) async fn send(&mut self, order: Order) -> bool {
        match self {
            Self::Process(process) => process.send(&order).await.is_ok(),
            Self::Thread { orders, .. } => orders.send(order).is_ok(),
        }
    }

    /// The next report; `None` when there will be none.
    pub(super) async fn report(&mut self) -> Option<Report> {
        match self {
            Self::Process(process) => process.report().await,
            Self::Thread { reports, .. } => reports.recv().await,
        }
    }

    /// Why there will be no report.
    pub(super) async fn end(self) -> (CodeErrorKind, String) {
        match self {
            Self::Process(process) => process.end().await,
            Self::Thread { .. } => {
                (CodeErrorKind::Crashed, "the interpreter failed: it panicked while it ran the code".into())
            }
        }
    }
}

struct Channels {
    orders: mpsc::Receiver<Order>,
    reports: UnboundedSender<Report>,
}

impl Port for Channels {
    fn order(&mut self) -> Option<Order> {
        self.orders.recv().ok()
    }

    fn report(&mut self, report: Report) -> bool {
        self.reports.send(report).is_ok()
    }

    fn running(&mut self, _: bool) {}
}
