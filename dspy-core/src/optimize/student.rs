//! What is compiled: a program, alone or with another one as its teacher.

use crate::module::{Module, WithTeacher};

/// What can be compiled: a program, or [a program with a teacher](Module::with_teacher).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a module",
    label = "not a module that can be compiled",
    note = "give a program: a module that implements `Clone`",
    note = "a reference to a module is none: where a module is wanted, give it a clone"
)]
pub trait Student: Send + 'static {
    /// The program.
    type Program: Module + Clone + 'static;
    /// The teacher's type.
    type Teacher: Module<Input = <Self::Program as Module>::Input, Output = <Self::Program as Module>::Output>
        + Clone
        + 'static;

    /// The program, and the teacher if there is one.
    fn into_parts(self) -> (Self::Program, Option<Self::Teacher>);
}

#[diagnostic::do_not_recommend]
impl<P: Module + Clone + 'static> Student for P {
    type Program = P;
    type Teacher = P;

    fn into_parts(self) -> (P, Option<P>) {
        (self, None)
    }
}

impl<P, T> Student for WithTeacher<P, T>
where
    P: Module + Clone + 'static,
    T: Module<Input = P::Input, Output = P::Output> + Clone + 'static,
{
    type Program = P;
    type Teacher = T;

    fn into_parts(self) -> (P, Option<T>) {
        (self.program, Some(self.teacher))
    }
}
