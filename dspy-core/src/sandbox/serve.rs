//! Runs what a session orders, on whichever side of a pipe.

use super::{
    Limits,
    machine::Machine,
    wire::{Answer, HostCall, Order, Report},
};

/// The two directions between a session and what runs its code.
pub(super) trait Port {
    /// The next order; `None` when the session has ended.
    fn order(&mut self) -> Option<Order>;
    /// Reports; whether anybody listens.
    fn report(&mut self, report: Report) -> bool;
    /// Code begins to run or ends.
    fn running(&mut self, yes: bool);
}

/// Serves until the session ends.
/// `limit` is told of the limits as soon as the inputs are there.
pub(super) fn serve<P: Port>(port: &mut P, limit: impl FnOnce(&P, &Limits)) {
    let Some(Order::Start(start)) = port.order() else { return };
    let limits = start.limits;
    let mut machine = Machine::new(start);
    limit(port, &limits);
    if !port.report(Report::Ready) {
        return;
    }
    while let Some(order) = port.order() {
        // An answer that nobody asked for.
        let Order::Run(code) = order else { return };
        port.running(true);
        let ended = machine.run(&code, &mut |call| ask(port, call));
        port.running(false);
        let report = ended.map_or_else(Report::Failed, Report::Done);
        if !port.report(report) {
            return;
        }
    }
}

fn ask(port: &mut impl Port, call: HostCall) -> Option<Answer> {
    if !port.report(Report::Call(call)) {
        return None;
    }
    match port.order()? {
        Order::Answer(answer) => Some(answer),
        Order::Start(_) | Order::Run(_) => None,
    }
}
