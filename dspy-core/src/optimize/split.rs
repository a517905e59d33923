//! The rows of a compile.

/// The rows that a program is compiled with, and what they are for.
#[derive(Debug)]
pub struct Split<'a, E> {
    /// The rows that are learnt from.
    pub train: &'a [E],
    /// The rows that candidates are judged by; without any, those that are learnt from. A row is never judged with a
    /// demonstration that was made from it.
    pub val: Option<&'a [E]>,
    /// The rows that the result is confirmed on: no choice is made by them.
    pub test: Option<&'a [E]>,
}

impl<E> Clone for Split<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Split<'_, E> {}

impl<'a, E> Split<'a, E> {
    /// Rows that are learnt from and judged by.
    pub fn new(train: &'a [E]) -> Self {
        Self { train, val: None, test: None }
    }

    /// Sets the rows that candidates are judged by.
    #[must_use]
    pub fn val(mut self, rows: &'a [E]) -> Self {
        self.val = Some(rows);
        self
    }

    /// Sets the rows that the result is confirmed on.
    #[must_use]
    pub fn test(mut self, rows: &'a [E]) -> Self {
        self.test = Some(rows);
        self
    }
}

impl<'a, E> From<&'a [E]> for Split<'a, E> {
    fn from(train: &'a [E]) -> Self {
        Self::new(train)
    }
}

impl<'a, E> From<&'a Vec<E>> for Split<'a, E> {
    fn from(train: &'a Vec<E>) -> Self {
        Self::new(train)
    }
}

impl<'a, E, const N: usize> From<&'a [E; N]> for Split<'a, E> {
    fn from(train: &'a [E; N]) -> Self {
        Self::new(train)
    }
}

impl<'a, E> From<(&'a [E], &'a [E])> for Split<'a, E> {
    fn from((train, val): (&'a [E], &'a [E])) -> Self {
        Self::new(train).val(val)
    }
}

impl<'a, E> From<(&'a Vec<E>, &'a Vec<E>)> for Split<'a, E> {
    fn from((train, val): (&'a Vec<E>, &'a Vec<E>)) -> Self {
        Self::new(train).val(val)
    }
}

impl<'a, E> From<(&'a [E], &'a [E], &'a [E])> for Split<'a, E> {
    fn from((train, val, test): (&'a [E], &'a [E], &'a [E])) -> Self {
        Self::new(train).val(val).test(test)
    }
}

impl<'a, E> From<(&'a Vec<E>, &'a Vec<E>, &'a Vec<E>)> for Split<'a, E> {
    fn from((train, val, test): (&'a Vec<E>, &'a Vec<E>, &'a Vec<E>)) -> Self {
        Self::new(train).val(val).test(test)
    }
}
