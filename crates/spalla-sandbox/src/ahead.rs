//! Walls that are put up before their command is known. They serve one command, and go without one when whoever wanted
//! them is gone.

use crate::blank::Blank;
use crate::order::{SupervisedOrder, Word};
use crate::plan::Plan;
use crate::refusal::Error;
use crate::start::Start;
use crate::view::Seen;
use crate::walls::Walls;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

/// A command that came for walls which stand.
pub(crate) struct Called {
    /// Its order.
    pub(crate) supervised: SupervisedOrder,
    /// What it reads.
    pub(crate) input: Vec<u8>,
    pub(crate) walls: Walls,
    pub(crate) start: Start,
}

/// Puts up the walls of an order and waits for their command; none if none came, or one that needs others.
pub(crate) fn wait(
    first: &SupervisedOrder,
    socket: &UnixStream,
    blank: Option<Blank>,
) -> io::Result<Option<Called>> {
    let (seen, walls) = match put_up(first, blank) {
        Ok(made) => made,
        Err(error) => return say(Word::from(error), socket),
    };
    Word::Ready.write(socket)?;
    if !walls.are_called_for(socket.as_fd()) {
        return Ok(None);
    }
    let (supervised, input) = SupervisedOrder::read(socket)?;
    if !supervised.wants_same_walls(first) {
        return say(Word::Stale, socket);
    }
    // What it would stand behind if it were started cold now.
    match Plan::new(&supervised.order.policy, &supervised.order.command, &supervised.outside) {
        Ok((plan, start)) if plan.view.seen() == seen => Ok(Some(Called { supervised, input, walls, start })),
        Ok(_) => say(Word::Stale, socket),
        Err(error) => say(Word::from(error), socket),
    }
}

fn put_up(first: &SupervisedOrder, blank: Option<Blank>) -> Result<(Seen, Walls), Error> {
    let (plan, _) = Plan::new(&first.order.policy, &first.order.command, &first.outside)?;
    Ok((plan.view.seen(), Walls::put_up(blank, plan)?))
}

fn say(word: Word, socket: &UnixStream) -> io::Result<Option<Called>> {
    word.write(socket)?;
    Ok(None)
}
