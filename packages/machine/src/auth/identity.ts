/** Whose request it is, as of the moment it was admitted. */
export interface Identity {
  readonly username: string;
  /** 0: nobody's. */
  readonly authRevision: number;
}

export const nobody: Identity = { username: '', authRevision: 0 };

/** The name, of a user and of a role, that may do everything. */
export const rootName = 'root';
