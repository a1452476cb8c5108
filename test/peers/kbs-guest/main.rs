//! A guest of a key broker: a thin front of the kbs_protocol crate of Confidential Containers' guest-components,
//! which is used as it was released. What trustee-attester cannot be told, this can: the TEE's key, several resources
//! with one client, a pause between them, a token that was got before. guest-clients.sh builds it against each release.
//!
//! kbs-guest --url URL [--tee-key FILE.pem] [--algorithm NAME] [--initdata FILE] [--save-token FILE] [--token FILE]
//!           [--pause SECONDS] [--path kbs:///A/B/C]...
//!
//! Attests and prints each resource as a line of base64. With --token it does not attest: it shows the token (passport
//! mode, as the Confidential Data Hub does), which is for the key of --tee-key.

use anyhow::{anyhow, bail, Context, Result};
use async_trait::async_trait;
use base64::{engine::general_purpose::STANDARD, Engine};
use kbs_protocol::{
    evidence_provider::NativeEvidenceProvider, token_provider::TokenProvider, KbsClientBuilder,
    KbsClientCapabilities, TeeKeyPair, Token,
};
use std::{fs, time::Duration};

#[derive(Default)]
struct Arguments {
    url: String,
    tee_key: Option<String>,
    algorithm: Option<String>,
    initdata: Option<String>,
    token: Option<String>,
    save_token: Option<String>,
    pause: u64,
    paths: Vec<String>,
}

fn arguments() -> Result<Arguments> {
    let mut read = Arguments::default();
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let value = given.next().with_context(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--url" => read.url = value,
            "--tee-key" => read.tee_key = Some(fs::read_to_string(value)?),
            "--algorithm" => read.algorithm = Some(value),
            "--initdata" => read.initdata = Some(fs::read_to_string(value)?),
            "--token" => read.token = Some(fs::read_to_string(value)?),
            "--save-token" => read.save_token = Some(value),
            "--pause" => read.pause = value.parse()?,
            "--path" => read.paths.push(value),
            _ => bail!("{name} is not known"),
        }
    }
    Ok(read)
}

struct Saved {
    token: Token,
    key: TeeKeyPair,
}

#[async_trait]
impl TokenProvider for Saved {
    async fn get_token(&self) -> kbs_protocol::Result<(Token, TeeKeyPair)> {
        Ok((self.token.clone(), self.key.clone()))
    }
}

fn saved(token: &str, asked: &Arguments) -> Result<Saved> {
    let pem = asked.tee_key.as_deref().context("--token needs --tee-key")?;
    #[cfg(feature = "rsa-only")]
    let key = TeeKeyPair::from_pkcs1_pem(pem)?;
    #[cfg(not(feature = "rsa-only"))]
    let key = TeeKeyPair::from_pem(pem)?;
    Ok(Saved { token: Token::new(token.to_string())?, key })
}

async fn print(client: &mut dyn KbsClientCapabilities, asked: &Arguments) -> Result<()> {
    for (position, path) in asked.paths.iter().enumerate() {
        if position > 0 {
            tokio::time::sleep(Duration::from_secs(asked.pause)).await;
        }
        let uri = path.as_str().try_into().map_err(|why| anyhow!("{path}: {why}"))?;
        println!("{}", STANDARD.encode(client.get_resource(uri).await?));
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let asked = arguments()?;
    if let Some(token) = &asked.token {
        let provider = Box::new(saved(token, &asked)?);
        let mut client = KbsClientBuilder::with_token_provider(provider, &asked.url).build()?;
        return print(&mut client, &asked).await;
    }
    let evidence = Box::new(NativeEvidenceProvider::new()?);
    let mut builder = KbsClientBuilder::with_evidence_provider(evidence, &asked.url);
    if let Some(pem) = &asked.tee_key {
        builder = builder.set_tee_key(pem);
    }
    #[cfg(feature = "composite")]
    {
        if let Some(name) = &asked.algorithm {
            builder = builder.set_tee_key_algorithm(serde_json::from_value(name.as_str().into())?);
        }
        if let Some(text) = &asked.initdata {
            builder = builder.add_initdata(text.clone());
        }
    }
    #[cfg(not(feature = "composite"))]
    if asked.algorithm.is_some() || asked.initdata.is_some() {
        bail!("this release can be told neither an algorithm nor init-data");
    }
    let mut client = builder.build()?;
    if let Some(file) = &asked.save_token {
        fs::write(file, client.get_token().await?.0.content)?;
    }
    print(&mut client, &asked).await
}
