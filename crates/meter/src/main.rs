//! Makes a WebAssembly module count what it does, so that a limit on its work is a count and not a time.
//!
//! Two globals are added and exported for the host to set before a call and to read after it:
//! - `fuel` (i64): every function takes the number of its instructions outside of loops on entry, every loop the
//!   number of its own on each round, and bulk memory instructions an eighth of the bytes that they touch. Below
//!   zero the module traps. What is counted is a function of the module and its input alone.
//! - `room` (i32): slots of stack left. Every function that calls takes as many as it has locals, and gives them
//!   back when it returns. Below zero the module traps, long before the engine's own stack ends: where that ends
//!   depends on the machine, its compiler tiers and its mood.
//!
//! Function, type and global indices stay as they are; nothing else of the module changes.

use anyhow::{bail, ensure, Context, Result};
use wasm_encoder::reencode::{Error, Reencode};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, ExportKind, ExportSection, Function, GlobalSection, GlobalType, Instruction,
    Module, ValType,
};
use wasmparser::{Operator, Parser, Payload};

/// Slots that a frame takes beside its locals: saved registers, spilled operands.
const FRAME_SLOTS: i64 = 12;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let (from, to) = (args.next().context("usage: meter FROM TO")?, args.next().context("usage: meter FROM TO")?);
    let bytes = std::fs::read(&from).with_context(|| from.clone())?;
    let mut meter = Meter::survey(&bytes)?;
    let mut module = Module::new();
    meter.parse_core_module(&mut module, Parser::new(0), &bytes).map_err(|error| anyhow::anyhow!("{error}"))?;
    let metered = module.finish();
    wasmparser::validate(&metered).context("the metered module")?;
    std::fs::write(&to, metered).with_context(|| to.clone())?;
    Ok(())
}

struct Meter {
    types: Vec<wasmparser::FuncType>,
    /// Type of each function that has a body, in order.
    functions: Vec<u32>,
    next_function: usize,
    fuel: u32,
    room: u32,
}

impl Meter {
    /// Reads what has to be known before the first body: types, and where the new globals stand.
    fn survey(bytes: &[u8]) -> Result<Self> {
        let mut meter = Meter { types: vec![], functions: vec![], next_function: 0, fuel: 0, room: 0 };
        let mut globals = 0;
        let mut has_globals = false;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::TypeSection(section) => {
                    for group in section.into_iter_err_on_gc_types() {
                        meter.types.push(group?);
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section {
                        if matches!(import?.ty, wasmparser::TypeRef::Global(_)) {
                            globals += 1;
                        }
                    }
                }
                Payload::FunctionSection(section) => {
                    for function in section {
                        meter.functions.push(function?);
                    }
                }
                Payload::GlobalSection(section) => {
                    has_globals = true;
                    globals += section.count();
                }
                _ => {}
            }
        }
        ensure!(has_globals, "the module has no globals to add to");
        meter.fuel = globals;
        meter.room = globals + 1;
        Ok(meter)
    }

    fn result_type(&self, results: &[wasmparser::ValType]) -> Result<BlockType> {
        Ok(match results {
            [] => BlockType::Empty,
            [one] => BlockType::Result(wasm_encoder::reencode::RoundtripReencoder.val_type(*one).map_err(failed)?),
            _ => bail!("a function with several results"),
        })
    }

    fn body(&mut self, body: wasmparser::FunctionBody<'_>) -> Result<Function> {
        let ty = self.types[self.functions[self.next_function] as usize].clone();
        self.next_function += 1;
        let operators = body.get_operators_reader()?.into_iter().collect::<Result<Vec<_>, _>>()?;
        let costs = Costs::of(&operators);

        let mut locals = vec![];
        let mut count = ty.params().len() as u32;
        for local in body.get_locals_reader()? {
            let (number, ty) = local?;
            count += number;
            locals.push((number, wasm_encoder::reencode::RoundtripReencoder.val_type(ty).map_err(failed)?));
        }
        let (fuel_local, length_local) = (count, count + 1);
        locals.extend([(1, ValType::I64), (1, ValType::I32)]);
        let mut out = Function::new(locals);
        let slots = i64::from(count) + FRAME_SLOTS;

        self.charge(&mut out, &[Instruction::I64Const(costs.entry)], fuel_local);
        if costs.calls {
            for instruction in [
                Instruction::GlobalGet(self.room),
                Instruction::I32Const(slots as i32),
                Instruction::I32Sub,
                Instruction::LocalTee(length_local),
                Instruction::GlobalSet(self.room),
                Instruction::LocalGet(length_local),
                Instruction::I32Const(0),
                Instruction::I32LtS,
                Instruction::If(BlockType::Empty),
                Instruction::Unreachable,
                Instruction::End,
                // The body in a block of its own: whoever left the function now leaves the block.
                Instruction::Block(self.result_type(ty.results())?),
            ] {
                out.instruction(&instruction);
            }
        }
        let mut depth = 0i32;
        let mut loops = costs.loops.iter();
        for operator in operators {
            match operator {
                Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => depth += 1,
                Operator::End => depth -= 1,
                Operator::ReturnCall { .. } | Operator::ReturnCallIndirect { .. } => bail!("a tail call"),
                Operator::MemoryCopy { .. } | Operator::MemoryFill { .. } | Operator::MemoryInit { .. } => {
                    out.instruction(&Instruction::LocalTee(length_local));
                    let eighth = [Instruction::I64ExtendI32U, Instruction::I64Const(3), Instruction::I64ShrU];
                    self.charge_top(&mut out, &eighth, fuel_local);
                    out.instruction(&Instruction::LocalGet(length_local));
                }
                _ => {}
            }
            let starts_loop = matches!(operator, Operator::Loop { .. });
            match operator {
                Operator::Return if costs.calls => {
                    out.instruction(&Instruction::Br(depth as u32));
                }
                other => {
                    let instruction = wasm_encoder::reencode::RoundtripReencoder.instruction(other).map_err(failed)?;
                    out.instruction(&instruction);
                }
            }
            if starts_loop {
                let cost = *loops.next().context("a loop that was not counted")?;
                self.charge(&mut out, &[Instruction::I64Const(cost)], fuel_local);
            }
        }
        ensure!(depth == -1, "a body whose blocks do not match");
        if costs.calls {
            for instruction in [
                Instruction::GlobalGet(self.room),
                Instruction::I32Const(slots as i32),
                Instruction::I32Add,
                Instruction::GlobalSet(self.room),
                Instruction::End,
            ] {
                out.instruction(&instruction);
            }
        }
        Ok(out)
    }

    /// fuel -= what `amount` pushes; a trap below zero.
    fn charge(&self, out: &mut Function, amount: &[Instruction<'_>], local: u32) {
        out.instruction(&Instruction::GlobalGet(self.fuel));
        for instruction in amount {
            out.instruction(instruction);
        }
        out.instruction(&Instruction::I64Sub);
        self.check(out, local);
    }

    /// The same for an amount that `turn` makes out of what lies on the stack.
    fn charge_top(&self, out: &mut Function, turn: &[Instruction<'_>], local: u32) {
        for instruction in turn {
            out.instruction(instruction);
        }
        out.instruction(&Instruction::LocalSet(local));
        self.charge(out, &[Instruction::LocalGet(local)], local);
    }

    fn check(&self, out: &mut Function, local: u32) {
        for instruction in [
            Instruction::LocalTee(local),
            Instruction::GlobalSet(self.fuel),
            Instruction::LocalGet(local),
            Instruction::I64Const(0),
            Instruction::I64LtS,
            Instruction::If(BlockType::Empty),
            Instruction::Unreachable,
            Instruction::End,
        ] {
            out.instruction(&instruction);
        }
    }
}

/// How many instructions one body has, each counted where it stands: in the innermost loop, or outside of all.
struct Costs {
    entry: i64,
    /// In the order in which the loops begin.
    loops: Vec<i64>,
    calls: bool,
}

impl Costs {
    fn of(operators: &[Operator<'_>]) -> Self {
        let mut costs = Costs { entry: 0, loops: vec![], calls: false };
        // For each open block, the loop that it stands in or is.
        let mut open: Vec<Option<usize>> = vec![None];
        for operator in operators {
            let inside = open.last().copied().flatten();
            match inside {
                Some(number) => costs.loops[number] += 1,
                None => costs.entry += 1,
            }
            match operator {
                Operator::Loop { .. } => {
                    open.push(Some(costs.loops.len()));
                    costs.loops.push(1);
                }
                Operator::Block { .. } | Operator::If { .. } => open.push(inside),
                Operator::End => {
                    open.pop();
                }
                Operator::Call { .. } | Operator::CallIndirect { .. } => costs.calls = true,
                _ => {}
            }
        }
        costs
    }
}

impl Reencode for Meter {
    type Error = anyhow::Error;

    fn parse_function_body(
        &mut self,
        code: &mut CodeSection,
        body: wasmparser::FunctionBody<'_>,
    ) -> Result<(), Error<Self::Error>> {
        code.function(&self.body(body).map_err(Error::UserError)?);
        Ok(())
    }

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: wasmparser::GlobalSectionReader<'_>,
    ) -> Result<(), Error<Self::Error>> {
        wasm_encoder::reencode::utils::parse_global_section(self, globals, section)?;
        let mutable = |val_type| GlobalType { val_type, mutable: true, shared: false };
        globals.global(mutable(ValType::I64), &ConstExpr::i64_const(i64::MAX));
        globals.global(mutable(ValType::I32), &ConstExpr::i32_const(i32::MAX));
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: wasmparser::ExportSectionReader<'_>,
    ) -> Result<(), Error<Self::Error>> {
        wasm_encoder::reencode::utils::parse_export_section(self, exports, section)?;
        exports.export("fuel", ExportKind::Global, self.fuel);
        exports.export("room", ExportKind::Global, self.room);
        Ok(())
    }
}

fn failed<E: std::fmt::Debug>(error: E) -> anyhow::Error {
    anyhow::anyhow!("{error:?}")
}
