//! regorus behind a C ABI of plain functions: the host passes UTF-8 as (pointer, length), and reads one answer.
//!
//! One instance of the module holds one engine. Every function that can fail gives a status (`OK`, `ERROR`,
//! `UNDEFINED`) and leaves its text as the answer. Nothing here reads a clock or draws randomness but through WASI,
//! where the host answers both; nothing bounds the work either: that is the meter's (see ../meter).

use std::cell::RefCell;

use regorus::{Engine, Value};

const OK: i32 = 0;
const ERROR: i32 = 1;
const UNDEFINED: i32 = 2;

struct State {
    engine: Engine,
    answer: Vec<u8>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::new(State { engine: Engine::new(), answer: Vec::new() });
}

/// Bytes that the host may write to; to be given back with `release`.
#[no_mangle]
pub extern "C" fn allocate(length: usize) -> *mut u8 {
    let mut bytes = Vec::<u8>::with_capacity(length);
    let pointer = bytes.as_mut_ptr();
    std::mem::forget(bytes);
    pointer
}

/// # Safety
/// `pointer` and `length` must come from one call of `allocate`.
#[no_mangle]
pub unsafe extern "C" fn release(pointer: *mut u8, length: usize) {
    drop(Vec::from_raw_parts(pointer, 0, length));
}

#[no_mangle]
pub extern "C" fn answer_pointer() -> *const u8 {
    STATE.with_borrow(|state| state.answer.as_ptr())
}

#[no_mangle]
pub extern "C" fn answer_length() -> usize {
    STATE.with_borrow(|state| state.answer.len())
}

/// Sees to it that all memory of the last answer goes back.
#[no_mangle]
pub extern "C" fn forget_answer() {
    STATE.with_borrow_mut(|state| state.answer = Vec::new());
}

/// Begins anew: no files, no data. `v0`: the language before OPA 1.0; `strict`: errors of built-in functions end the evaluation.
#[no_mangle]
pub extern "C" fn reset(v0: i32, strict: i32) {
    STATE.with_borrow_mut(|state| {
        state.engine = Engine::new();
        state.engine.set_rego_v0(v0 != 0);
        state.engine.set_strict_builtin_errors(strict != 0);
    });
}

/// Parses one file of Rego. The answer is its package, or the error with file, line and column.
///
/// # Safety
/// Both pairs must name readable bytes.
#[no_mangle]
pub unsafe extern "C" fn add_policy(path: *const u8, path_length: usize, text: *const u8, text_length: usize) -> i32 {
    let (path, text) = (string(path, path_length), string(text, text_length));
    run(|engine| Ok(Some(engine.add_policy(path?, text?)?)))
}

/// Adds a JSON document to `data`.
///
/// # Safety
/// The pair must name readable bytes.
#[no_mangle]
pub unsafe extern "C" fn add_data(json: *const u8, length: usize) -> i32 {
    let json = string(json, length);
    run(|engine| {
        engine.add_data(Value::from_json_str(&json?)?)?;
        Ok(Some(String::new()))
    })
}

/// Compiles all files together, so that the first evaluation finds everything in place.
#[no_mangle]
pub extern "C" fn prepare() -> i32 {
    run(|engine| {
        engine.eval_query("true".to_string(), false)?;
        Ok(Some(String::new()))
    })
}

/// Whether a file declares a rule of this path. The answer is empty; `UNDEFINED` where none does.
///
/// # Safety
/// The pair must name readable bytes.
#[no_mangle]
pub unsafe extern "C" fn has_rule(rule: *const u8, length: usize) -> i32 {
    let rule = string(rule, length);
    run(|engine| {
        let rule = rule?;
        for (package, source) in engine.get_packages()?.iter().zip(engine.get_policies()?) {
            let name = rule.strip_prefix(package.as_str()).and_then(|rest| rest.strip_prefix('.'));
            if let Some(name) = name {
                if engine.has_declared_rule_rooted_at(source.get_path(), name)? {
                    return Ok(Some(String::new()));
                }
            }
        }
        Ok(None)
    })
}

/// `data.path.to.rule` with an input. The answer is its value as JSON; `UNDEFINED` where it has none.
///
/// # Safety
/// Both pairs must name readable bytes.
#[no_mangle]
pub unsafe extern "C" fn evaluate(rule: *const u8, rule_length: usize, input: *const u8, input_length: usize) -> i32 {
    let (rule, input) = (string(rule, rule_length), string(input, input_length));
    run(|engine| {
        // What an earlier evaluation left compiled must not make this one cheaper than it is on another machine.
        regorus::cache::clear();
        engine.set_input(Value::from_json_str(&input?)?);
        match engine.eval_rule(rule?)? {
            Value::Undefined => Ok(None),
            value => Ok(Some(serde_json::to_string(&value)?)),
        }
    })
}

/// Any query with an input (`undefined` where `input_length` is 0). The answer is its results as OPA writes them:
/// `{"result": [{"expressions": [...], "bindings": {...}}]}`.
///
/// # Safety
/// Both pairs must name readable bytes.
#[no_mangle]
pub unsafe extern "C" fn query(text: *const u8, text_length: usize, input: *const u8, input_length: usize) -> i32 {
    let (text, input) = (string(text, text_length), string(input, input_length));
    run(|engine| {
        regorus::cache::clear();
        let input = input?;
        engine.set_input(if input.is_empty() { Value::Undefined } else { Value::from_json_str(&input)? });
        let results = engine.eval_query(text?, false)?;
        Ok(Some(serde_json::to_string(&results)?))
    })
}

/// From now on `print` is kept for `take_prints`.
#[no_mangle]
pub extern "C" fn gather_prints() {
    STATE.with_borrow_mut(|state| state.engine.set_gather_prints(true));
}

/// What was printed since the last call, as a JSON list of lines.
#[no_mangle]
pub extern "C" fn take_prints() -> i32 {
    run(|engine| Ok(Some(serde_json::to_string(&engine.take_prints()?)?)))
}

type Outcome = Result<Option<String>, Box<dyn std::error::Error>>;

fn run(work: impl FnOnce(&mut Engine) -> Outcome) -> i32 {
    STATE.with_borrow_mut(|state| {
        state.answer = Vec::new();
        match work(&mut state.engine) {
            Ok(Some(text)) => {
                state.answer = text.into_bytes();
                OK
            }
            Ok(None) => UNDEFINED,
            Err(error) => {
                state.answer = error.to_string().into_bytes();
                ERROR
            }
        }
    })
}

unsafe fn string(pointer: *const u8, length: usize) -> Result<String, std::string::FromUtf8Error> {
    if length == 0 {
        return Ok(String::new());
    }
    String::from_utf8(std::slice::from_raw_parts(pointer, length).to_vec())
}
