mod support;
mod transitions;
