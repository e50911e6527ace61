import type { Stage } from './stage.ts';

/** What one turn of a contender measured, by the names of the workload's measures. */
export type Figures = Record<string, number>;

/** A figure that must not be exceeded (or fallen short of, where more is better): given, or so many times another's. */
export type Goal = { value: number } | { times: number; of: readonly string[] };

/** One quantity that a workload measures. */
export interface Measure {
  name: string;
  unit: string;
  better: 'less' | 'more';
  /** Whom the ratio is told against; of several the better one. */
  against: readonly string[];
  atLeast?: Goal;
  aim?: Goal;
}

/** Somebody who takes turns: a peer, the product, or the raw floor. */
export interface Contender {
  who: string;
  version: string;
  /** One turn, after which its answers were checked; rounds count from 1. */
  turn(round: number): Promise<Figures>;
}

/** One thing that is measured, side by side. */
export interface Workload {
  name: string;
  /** In one line, for people. */
  about: string;
  /** The first is the one that the workload is named for. */
  measures: readonly Measure[];
  /** Whether a round that is not counted comes first. */
  warmsUp?: boolean;
  /** Opens everyone who takes part; the stage closes what was opened on it. */
  open(stage: Stage, rounds: number): Promise<Contender[]>;
}

/** The product, in every table. */
export const product = 'callwell';
