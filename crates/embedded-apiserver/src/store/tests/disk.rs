//! A disk that loses power: what was not synced by then is kept, torn or lost, as chance has it.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// What a real disk writes at once.
const SECTOR: usize = 512;

/// A disk; its clones are the same disk.
#[derive(Debug, Clone)]
pub(super) struct Disk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// What readers see.
    content: Vec<u8>,
    /// What is safe.
    synced: Vec<u8>,
    unsynced: Vec<Operation>,
    /// How many operations there were, and after how many the power goes.
    operations: u64,
    power_until: u64,
}

#[derive(Debug, Clone)]
enum Operation {
    Write { offset: usize, data: Vec<u8> },
    Resize { length: usize },
}

impl Disk {
    pub(super) fn new(content: Vec<u8>, power_until: u64) -> Self {
        let synced = content.clone();
        Self(Arc::new(Mutex::new(State {
            content,
            synced,
            unsynced: Vec::new(),
            operations: 0,
            power_until,
        })))
    }

    pub(super) fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    /// What is found when the power comes back.
    pub(super) fn after_power_loss(&self, seed: u64) -> Vec<u8> {
        let mut random = StdRng::seed_from_u64(seed);
        let state = self.0.lock();
        let mut content = state.synced.clone();
        for operation in &state.unsynced {
            match operation {
                Operation::Resize { length } if random.random_bool(0.5) => {
                    content.resize(*length, 0);
                }
                Operation::Resize { .. } => {}
                Operation::Write { offset, data } => match random.random_range(0..3) {
                    0 => {}
                    1 => overwrite(&mut content, *offset, data),
                    _ => write_some_sectors(&mut content, *offset, data, &mut random),
                },
            }
        }
        content
    }
}

/// A sector is written whole or not at all, whatever becomes of its neighbours.
fn write_some_sectors(content: &mut Vec<u8>, offset: usize, data: &[u8], random: &mut StdRng) {
    let mut at = 0;
    while at < data.len() {
        let until = ((offset + at) / SECTOR + 1) * SECTOR - offset;
        let until = until.min(data.len());
        if random.random_bool(0.5) {
            overwrite(content, offset + at, &data[at..until]);
        }
        at = until;
    }
}

fn overwrite(content: &mut Vec<u8>, offset: usize, data: &[u8]) {
    if content.len() < offset + data.len() {
        content.resize(offset + data.len(), 0);
    }
    content[offset..offset + data.len()].copy_from_slice(data);
}

impl State {
    fn spend(&mut self) -> io::Result<()> {
        self.operations += 1;
        if self.operations > self.power_until {
            return Err(io::Error::other("the power is gone"));
        }
        Ok(())
    }
}

impl redb::StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().content.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.lock();
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let found = state
            .content
            .get(offset..offset + out.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.0.lock();
        state.spend()?;
        let length = usize::try_from(length).map_err(io::Error::other)?;
        state.content.resize(length, 0);
        state.unsynced.push(Operation::Resize { length });
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.lock();
        state.spend()?;
        state.synced = state.content.clone();
        state.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock();
        state.spend()?;
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        overwrite(&mut state.content, offset, data);
        state.unsynced.push(Operation::Write {
            offset,
            data: data.to_vec(),
        });
        Ok(())
    }
}
