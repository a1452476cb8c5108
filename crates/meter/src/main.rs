//! Makes a WebAssembly module count what it does, so that a limit on its work is a count and not a time.
//!
//! Two globals are added and exported for the host to set before a call and to read after it:
//! - `fuel` (i64): what runs takes the number of its instructions: a function on entry, a loop on each round, an arm
//!   of a branch where it is long; bulk memory instructions an eighth of the bytes that they touch. Below zero the
//!   module traps. Never less is counted than runs, and the count is a function of the module and its input alone.
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
        let mut counts = costs.after.iter().peekable();
        for (at, operator) in operators.into_iter().enumerate() {
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
            match operator {
                Operator::Return if costs.calls => {
                    out.instruction(&Instruction::Br(depth as u32));
                }
                other => {
                    let instruction = wasm_encoder::reencode::RoundtripReencoder.instruction(other).map_err(failed)?;
                    out.instruction(&instruction);
                }
            }
            while let Some((_, cost)) = counts.next_if(|(after, _)| *after == at) {
                self.charge(&mut out, &[Instruction::I64Const(*cost)], fuel_local);
            }
        }
        ensure!(counts.peek().is_none(), "a count that found no place");
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

/// What one body takes, and where.
struct Costs {
    /// On entry.
    entry: i64,
    /// After which operators, in order. At the head of a loop there is always one.
    after: Vec<(usize, i64)>,
    calls: bool,
}

/// A straight piece of a block: from its beginning, the end of a block inside of it, or a branch out of it.
struct Piece {
    after: usize,
    cost: i64,
}

enum Kind {
    Body,
    Block,
    Loop,
    Arm,
}

/// From how many instructions on a piece or an arm is counted where it stands. Smaller ones count as if they were
/// always reached: counting them would cost more than they do.
const WORTH_COUNTING: i64 = 32;

impl Costs {
    fn of(operators: &[Operator<'_>]) -> Self {
        let mut costs = Costs { entry: 0, after: vec![], calls: false };
        let mut open = vec![(Kind::Body, vec![Piece { after: 0, cost: 0 }])];
        for (at, operator) in operators.iter().enumerate() {
            if let Some(piece) = open.last_mut().and_then(|(_, pieces)| pieces.last_mut()) {
                piece.cost += 1;
            }
            let opens = match operator {
                Operator::Block { .. } => Some(Kind::Block),
                Operator::Loop { .. } => Some(Kind::Loop),
                Operator::If { .. } | Operator::Else => Some(Kind::Arm),
                Operator::Call { .. } | Operator::CallIndirect { .. } => {
                    costs.calls = true;
                    None
                }
                _ => None,
            };
            if matches!(operator, Operator::Else | Operator::End) {
                costs.close(&mut open);
            }
            if let Some(kind) = opens {
                open.push((kind, vec![Piece { after: at, cost: 0 }]));
            } else if let (true, Some((_, pieces))) = (ends_piece(operator), open.last_mut()) {
                pieces.push(Piece { after: at, cost: 0 });
            }
        }
        costs.after.sort_unstable();
        costs
    }

    fn close(&mut self, open: &mut Vec<(Kind, Vec<Piece>)>) {
        let Some((kind, pieces)) = open.pop() else { return };
        let mut own = 0;
        for (number, piece) in pieces.iter().enumerate() {
            if number > 0 && piece.cost >= WORTH_COUNTING {
                self.after.push((piece.after, piece.cost));
            } else {
                own += piece.cost;
            }
        }
        let counted_here = match kind {
            Kind::Body | Kind::Block => false,
            Kind::Loop => true,
            Kind::Arm => own >= WORTH_COUNTING,
        };
        if counted_here {
            self.after.push((pieces[0].after, own));
        } else if let Some(piece) = open.last_mut().and_then(|(_, pieces)| pieces.last_mut()) {
            piece.cost += own;
        } else {
            self.entry = own;
        }
    }
}

/// What comes after it need not be reached from what comes before.
fn ends_piece(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::End
            | Operator::Br { .. }
            | Operator::BrIf { .. }
            | Operator::BrTable { .. }
            | Operator::Return
            | Operator::Unreachable
    )
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
