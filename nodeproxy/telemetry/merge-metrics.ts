/**
 * Joins the metrics of control with what the traffic process says are its own, in Prometheus' text
 * format 0.0.4. Believes nothing of the second: a line that is no sample of a declared family, or that
 * does not carry `process="traffic"`, is left out, so that it can neither break the page nor speak for
 * control.
 */

interface Family {
  readonly help: string;
  readonly type: string;
  readonly samples: string[];
}

const HELP = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/;
const TYPE = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)$/;
const SAMPLE =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*)\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\["\\n])*",?)*\} (?:[-+]?[0-9.]+(?:e[-+]?[0-9]+)?|NaN|[-+]?Inf)$/;
const SUFFIX = /_(?:bucket|sum|count)$/;
const TRAFFIC_LABEL = /[{,]process="traffic"[,}]/;

/** Each family once, with the samples of both; control's help and type win. */
export function mergeMetrics(control: string, traffic: string): string {
  const families = new Map<string, Family>();
  read(families, control, () => true);
  read(families, traffic, (sample) => SAMPLE.test(sample) && TRAFFIC_LABEL.test(sample));
  return [...families.values()]
    .filter(({ samples }) => samples.length > 0)
    .map(({ help, type, samples }) => `${help}\n${type}\n${samples.join("\n")}\n`)
    .join("\n");
}

function read(
  families: Map<string, Family>,
  text: string,
  isTaken: (sample: string) => boolean,
): void {
  let help = "";
  let name = "";
  for (const line of text.split("\n")) {
    if (HELP.test(line)) help = line;
    const declared = TYPE.exec(line)?.[1];
    if (declared !== undefined) {
      name = declared;
      const ownHelp = help.startsWith(`# HELP ${name} `) ? help : `# HELP ${name} ${name}`;
      if (!families.has(name)) families.set(name, { help: ownHelp, type: line, samples: [] });
    } else if (line !== "" && !line.startsWith("#") && isOf(name, line) && isTaken(line)) {
      families.get(name)?.samples.push(line);
    }
  }
}

function isOf(family: string, sample: string): boolean {
  const name = /^[^{ ]*/.exec(sample)?.[0] ?? "";
  return name === family || name.replace(SUFFIX, "") === family;
}
