use super::*;

#[test]
fn every_word_is_read_as_it_is_written() {
    let texts = [
        "kill sink@1m..90s",
        "power 2@1m",
        "flash 2@1m..70s",
        "pause 3@10s..12s",
        "partition 1,2|3,4@10s..40s",
        "cut 1,2@10s..40s",
        "oneway 1>2@10s..40s",
        "loss 5%@10s..40s",
        "slow 20000@10s..40s",
        "break 1,2@10s",
        "vanish any@10s",
        "stall any@10s..14s",
        "full sink@10s..40s",
        "slowdisk 1@10s..40s",
        "unreadable 1@10s..40s",
        "step 1 -1h@10s",
        "retain 1@10s",
        "overflow 1@10s",
        "guest 1@10s..12s",
    ];
    for (text, word) in texts.iter().zip(WORDS) {
        assert!(text.starts_with(word), "{text}");
        let fault: PlannedFault = text.parse().unwrap();
        assert_eq!(fault.to_string(), *text);
    }
    let all = texts.join("; ");
    assert_eq!(write_faults(&read_faults(&all).unwrap()), all);
}

#[test]
fn what_is_no_fault_is_refused_with_a_reason() {
    for (text, why) in [
        ("kill sink", "no time"),
        ("melt 1@5s", "not one of kill"),
        ("kill one@5s", "no host"),
        ("kill 1@9s..5s", "ends before"),
        ("break any@5s..6s", "at a moment"),
        ("cut 1,1@5s", "twice"),
        ("partition 1,2@5s", "one group"),
        ("partition 1,2|2,3@5s", "two groups"),
        ("loss 120%@5s", "no share"),
        ("slow 0@5s", "bytes a second"),
        ("step 1@5s", "host and time"),
    ] {
        let error = text.parse::<PlannedFault>().unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
    assert_eq!("pi-3".parse(), Ok(HostIx(3)));
}
