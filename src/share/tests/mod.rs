mod model;
mod support;
mod transitions;
