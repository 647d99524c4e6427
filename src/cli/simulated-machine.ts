/** Where does `vouchsafe dev` leave the machine on which other programs can attest? */
export const SIMULATED_MACHINE = '.vouchsafe/dev/simulated-machine.json'
